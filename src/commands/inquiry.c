#include "commands/inquiry.h"
#include "base/clock.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "host/stop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000000 };

int inquiry_open(struct inquiry *p, struct error *error)
{
    if (!(p->asked = calloc(INQUIRY_ASKED, sizeof *p->asked)))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    stop_block(&p->waiting);
    return 0;
}

void inquiry_close(struct inquiry *p)
{
    held_release(&p->held);
    free(p->asked);
    p->asked = NULL;
}

void inquiry_prepare(struct inquiry *p, const struct packet *packet)
{
    held_take_source(&p->held, packet);
}

void inquiry_sent(struct inquiry *p, const struct packet *packet)
{
    struct question q;
    if (!question_read(&q, packet))
        return;
    p->asked[p->questions++ % INQUIRY_ASKED] =
        (struct inquiry_question){ .question = q, .number = packet->number, .time = packet->time };
    p->to_all |= question_to_all(&q);
}

/* Of those that it fits, the latest that has none yet, or else the latest. */
static struct inquiry_question *find(struct inquiry *p, const struct answer *answer)
{
    struct inquiry_question *best = NULL;
    uint64_t kept = p->questions < INQUIRY_ASKED ? p->questions : INQUIRY_ASKED;
    for (uint64_t i = 1; i <= kept && (!best || best->answered); i++) {
        struct inquiry_question *q = &p->asked[(p->questions - i) % INQUIRY_ASKED];
        if ((!best || !q->answered) && answer_fits(answer, &q->question))
            best = q;
    }
    return best;
}

static void note(struct packet *packet, const struct inquiry_question *q)
{
    if (packet->note_count == NOTES_MAX || !packet->layer_count)
        return;
    struct note *note = &packet->notes[packet->note_count++];
    packet->layers[packet->subject].note = packet->note_count;
    note->have = UINT64_C(1) << NOTE_ANSWERS;
    note->question_frame = (uint32_t)q->number;
    note->answer_time = packet->time > q->time ? packet->time - q->time : 0;
}

static void count(struct inquiry *p, struct inquiry_question *q, int64_t time)
{
    p->answers++;
    if (q->answered)
        return;
    int64_t trip = time > q->time ? time - q->time : 0;
    q->answered = true;
    p->least = !p->answered || trip < p->least ? trip : p->least;
    p->most = trip > p->most ? trip : p->most;
    p->total += trip;
    p->answered++;
}

static void take(struct inquiry *p, const struct wire_packet *came, uint16_t link_type)
{
    struct packet *packet = &p->packet;
    packet_reset(packet, came->bytes);
    packet->time = came->time;
    packet->timed = true;
    packet->link_type = link_type;
    packet->wire_length = came->length;
    dissect(packet);
    struct answer answer;
    answer_read(&answer, packet);
    struct inquiry_question *q = find(p, &answer);
    if (!q)
        return;
    count(p, q, packet->time);
    note(packet, q);
    p->came(p->context, packet);
}

static int receive(struct inquiry *p, struct sender *sender, struct error *error)
{
    struct wire_packet got[WIRE_RECEIVED];
    for (unsigned i = 0; i < sender_lane_count(sender); i++) {
        struct wire *wire = sender_lane(sender, i)->wire;
        int n;
        while ((n = wire_receive(wire, got, error)) > 0)
            for (int k = 0; k < n; k++)
                take(p, &got[k], wire_info(wire)->link_type);
        if (n < 0)
            return n;
    }
    return 0;
}

static bool is_done(const struct inquiry *p)
{
    return !p->to_all && p->answered >= p->questions;
}

int inquiry_wait(struct inquiry *p, struct sender *sender, int64_t when, bool until_done, struct error *error)
{
    struct pollfd fds[SENDER_LANES];
    unsigned lanes = sender_lane_count(sender);
    for (unsigned i = 0; i < lanes; i++)
        fds[i] = (struct pollfd){ .fd = wire_fd(sender_lane(sender, i)->wire), .events = POLLIN };
    for (;;) {
        int code = receive(p, sender, error);
        int64_t left = when - clock_ns(CLOCK_MONOTONIC);
        if (code || left <= 0 || stop_asked() || (until_done && is_done(p)))
            return code;
        struct timespec time = { left / SECOND, left % SECOND };
        if (stop_poll(fds, lanes, &time, &p->waiting) < 0 && errno != EINTR)
            return error_set(error, ERROR_SYSTEM, "poll: %s", strerror(errno));
    }
}

void inquiry_tell(const struct inquiry *p)
{
    const double ms = 1e6;
    fprintf(stderr, _("; %llu of %llu answered"), (unsigned long long)p->answered, (unsigned long long)p->questions);
    if (p->answers > p->answered)
        fprintf(stderr, _(", %llu more answers"), (unsigned long long)(p->answers - p->answered));
    if (p->answered)
        fprintf(stderr, _("; round trips %.3f, %.3f, %.3f ms (least, mean, most)"), (double)p->least / ms,
                (double)p->total / (double)p->answered / ms, (double)p->most / ms);
}
