#include "track/reassembly.h"
#include <stdlib.h>
#include <string.h>

struct piece {
    struct piece *before, *after;
    uint64_t at; /* position of its first byte */
    uint32_t length;
    uint8_t bytes[];
};

void reassembly_open(struct reassembly *r, const struct reassembly_consumer *consumer)
{
    *r = (struct reassembly){ .consumer = consumer, .half_most = REASSEMBLY_HALF_BYTES, .most = REASSEMBLY_BYTES };
}

void reassembly_begin(struct reassembly_half *h, uint32_t seq)
{
    h->seq = seq;
    h->begun = true;
}

/* --- handing on --- */

static void advance(struct reassembly_half *h, uint64_t n)
{
    h->next += n;
    h->seq += (uint32_t)n;
}

static void hand_on(struct reassembly *r, struct reassembly_half *h, struct span bytes)
{
    uint64_t at = h->next;
    if (!bytes.left)
        return;
    advance(h, bytes.left);
    r->consumer->bytes(h->context, at, bytes);
}

static void hand_on_gap(struct reassembly *r, struct reassembly_half *h, uint64_t to)
{
    uint64_t at = h->next;
    if (to <= at)
        return;
    advance(h, to - at);
    r->consumer->gap(h->context, at, to - at);
}

static void drop_first(struct reassembly *r, struct reassembly_half *h)
{
    struct piece *piece = h->first;
    uint32_t size = (uint32_t)sizeof *piece + piece->length;
    h->first = piece->after;
    if (h->first)
        h->first->before = NULL;
    else
        h->last = NULL;
    h->held -= size;
    r->held -= size;
    h->pieces--;
    free(piece);
}

static void end(struct reassembly *r, struct reassembly_half *h, enum reassembly_end how)
{
    while (h->first)
        drop_first(r, h);
    h->ended = true;
    r->consumer->end(h->context, h->next, how);
}

/* Hands on the pieces that nothing is missing before. */
static void drain(struct reassembly *r, struct reassembly_half *h)
{
    while (h->first && h->first->at == h->next) {
        hand_on(r, h, (struct span){ h->first->bytes, h->first->length });
        drop_first(r, h);
    }
}

/* Gives up what is missing before the first piece. */
static void skip(struct reassembly *r, struct reassembly_half *h)
{
    hand_on_gap(r, h, h->first->at);
    drain(r, h);
}

/* --- keeping --- */

static bool has_room(const struct reassembly *r, const struct reassembly_half *h, size_t n)
{
    size_t size = sizeof(struct piece) + n;
    return h->held + size <= r->half_most && r->held + size <= r->most && h->pieces < REASSEMBLY_PIECES;
}

/* A piece between two others. False: no memory. */
static bool keep_between(struct reassembly *r, struct reassembly_half *h, struct piece *before, struct piece *after,
                         uint64_t at, struct span bytes)
{
    struct piece *piece = has_room(r, h, bytes.left) ? malloc(sizeof *piece + bytes.left) : NULL;
    if (!piece)
        return false;
    *piece = (struct piece){ before, after, at, (uint32_t)bytes.left };
    memcpy(piece->bytes, bytes.at, bytes.left);
    *(before ? &before->after : &h->first) = piece;
    *(after ? &after->before : &h->last) = piece;
    h->held += (uint32_t)(sizeof *piece + bytes.left);
    r->held += sizeof *piece + bytes.left;
    h->pieces++;
    return true;
}

/* Keeps what no piece has yet of bytes that begin beyond next. Returns the bytes from the first one on that found no
 * room, none if all did. */
static struct span keep(struct reassembly *r, struct reassembly_half *h, uint64_t at, struct span bytes)
{
    struct piece *before = h->last;
    while (before && before->at > at)
        before = before->before;
    while (bytes.left) {
        struct piece *after = before ? before->after : h->first;
        uint64_t from = before && before->at + before->length > at ? before->at + before->length : at;
        uint64_t to = at + bytes.left, until = after && after->at < to ? after->at : to;
        if (from < until) {
            struct span part = span_part(bytes, (size_t)(from - at), (size_t)(until - from));
            if (!keep_between(r, h, before, after, from, part))
                return span_part(bytes, (size_t)(from - at), (size_t)(to - from));
        }
        if (!after || until == to)
            break;
        bytes = span_part(bytes, (size_t)(until - at), (size_t)(to - until));
        at = until;
        before = after;
    }
    return (struct span){ NULL, 0 };
}

/* --- segments --- */

/* The position that a number stands for. Numbers before the start, or farther than any window reaches: false. */
static bool position(const struct reassembly_half *h, uint32_t seq, uint64_t *at)
{
    int32_t beyond = (int32_t)(seq - h->seq);
    if (beyond > REASSEMBLY_FAR || (beyond < 0 && h->next < (uint64_t) - (int64_t)beyond))
        return false;
    *at = h->next + (uint64_t)(int64_t)beyond;
    return true;
}

/* Bytes at a position: what is next is handed on, up to where an earlier piece has bytes of its own; the rest is
 * kept, and where there is no room for it, what is missing before it is given up. */
static void take_bytes(struct reassembly *r, struct reassembly_half *h, uint64_t at, struct span bytes)
{
    while (bytes.left) {
        if (at < h->next) {
            uint64_t old = h->next - at < bytes.left ? h->next - at : bytes.left;
            bytes = span_part(bytes, (size_t)old, bytes.left - (size_t)old);
            at += old;
        } else if (at == h->next) {
            uint64_t n = h->first && h->first->at - at < bytes.left ? h->first->at - at : bytes.left;
            hand_on(r, h, span_part(bytes, 0, (size_t)n));
            drain(r, h);
        } else {
            uint64_t to = at + bytes.left;
            bytes = keep(r, h, at, bytes);
            at = to - bytes.left;
            if (!bytes.left)
                return;
            if (h->first && h->first->at < at)
                skip(r, h);
            else
                hand_on_gap(r, h, at);
        }
    }
}

void reassembly_take(struct reassembly *r, struct reassembly_half *h, uint32_t seq, struct span bytes,
                     uint32_t wire_length, bool fin)
{
    uint64_t at;
    if (h->ended)
        return;
    if (!h->begun) {
        if (!wire_length && !fin)
            return;
        reassembly_begin(h, seq);
    }
    if (bytes.left > wire_length)
        bytes.left = wire_length;
    bool known = position(h, seq, &at);
    if (!known) { /* it may begin before the start and reach beyond it */
        uint32_t before = h->seq - (uint32_t)h->next - seq;
        if (before >= REASSEMBLY_FAR || before >= wire_length)
            return;
        uint32_t lost = before < bytes.left ? before : (uint32_t)bytes.left;
        bytes = span_part(bytes, lost, bytes.left - lost);
        wire_length -= before;
        at = 0;
        if (lost < before)
            bytes.left = 0;
    }
    if (fin && !h->fin_known && at + wire_length >= h->next) {
        h->fin = at + wire_length;
        h->fin_known = true;
    }
    if (h->fin_known && at + bytes.left > h->fin)
        bytes.left = at < h->fin ? (size_t)(h->fin - at) : 0;
    take_bytes(r, h, at, bytes);
    while (h->first && h->first->at <= h->acknowledged)
        skip(r, h);
    if (h->fin_known && !h->first && h->acknowledged >= h->fin)
        hand_on_gap(r, h, h->fin);
    if (h->fin_known && h->next >= h->fin)
        end(r, h, REASSEMBLY_FIN);
}

void reassembly_acknowledge(struct reassembly_half *h, uint32_t ack)
{
    uint64_t at;
    if (h->begun && !h->ended && position(h, ack, &at) && at > h->acknowledged)
        h->acknowledged = at;
}

void reassembly_finish(struct reassembly *r, struct reassembly_half *h, enum reassembly_end how)
{
    if (h->ended)
        return;
    while (h->first)
        skip(r, h);
    uint64_t last = h->acknowledged;
    if (h->fin_known) /* the acknowledgement of a FIN counts one beyond it */
        last = last > h->fin ? h->fin : last;
    hand_on_gap(r, h, last);
    end(r, h, h->fin_known && h->next >= h->fin ? REASSEMBLY_FIN : how);
}
