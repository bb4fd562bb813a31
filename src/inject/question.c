#include "inject/question.h"
#include "protocol/protocol.h"
#include <string.h>

/* The fields of a layer that tell one conversation from another. */
static const struct part {
    const char *protocol, *first, *second, *kind, *counter;
    bool ports;
} parts[] = {
    { "tcp", "tcp.srcport", "tcp.dstport", NULL, "srcport", true },
    { "udp", "udp.srcport", "udp.dstport", NULL, "srcport", true },
    { "icmp", "icmp.ident", "icmp.seq", "icmp.type", "seq", false },
    { "icmpv6", "icmpv6.echo.identifier", "icmpv6.echo.sequence_number", "icmpv6.type", "echo.sequence_number", false },
};

static const struct part *part_of(const struct protocol *protocol)
{
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(parts[i].protocol, protocol->name))
            return &parts[i];
    return NULL;
}

const char *question_counter(const struct protocol *protocol)
{
    const struct part *part = protocol ? part_of(protocol) : NULL;
    return part ? part->counter : NULL;
}

static bool read_number(const struct packet *p, const struct layer *l, const char *name, uint16_t *number)
{
    struct place place = { .packet = p, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(p, l) };
    struct value value;
    for (const struct field *f = place.rows; f->abbrev; f++)
        if (!strcmp(f->abbrev, name) && field_read(f, &place, 0, &value)) {
            *number = (uint16_t)value.u;
            return true;
        }
    return false;
}

static void read_ends(const struct packet *p, const struct layer *l, struct question *q)
{
    const struct network *n = layer_network(p, l);
    if (!n || q->addressed)
        return;
    q->addressed = true;
    q->size = n->size;
    memcpy(q->source, n->source, n->size);
    memcpy(q->destination, n->destination, n->size);
}

/* Takes from one layer what identifies the conversation that it is of. */
static void read_layer(const struct packet *p, const struct layer *l, struct question *q)
{
    q->top = l->protocol;
    read_ends(p, l, q);
    if (!strcmp(l->protocol->name, "arp"))
        q->is_arp = read_number(p, l, "arp.opcode", &q->kind);
    const struct part *part = part_of(l->protocol);
    if (!part)
        return;
    uint16_t first, second;
    if (read_number(p, l, part->first, &first) && read_number(p, l, part->second, &second)) {
        q->ported = part->ports;
        q->numbered = !part->ports;
        *(part->ports ? &q->source_port : &q->ident) = first;
        *(part->ports ? &q->destination_port : &q->seq) = second;
    }
    if (part->kind)
        read_number(p, l, part->kind, &q->kind);
    q->protocol = (uint8_t)(l->protocol->keys ? l->protocol->keys->value : 0);
}

/* quoted: what the packet that an ICMP error quotes asked. */
static bool read_asked(struct question *q, const struct packet *p, bool quoted)
{
    *q = (struct question){ 0 };
    for (unsigned i = 0; i < p->layer_count && !q->is_arp && !q->ported && !q->numbered; i++)
        if (!!(p->layers[i].flags & LAYER_QUOTED) == quoted)
            read_layer(p, &p->layers[i], q);
    return q->addressed;
}

bool question_read(struct question *question, const struct packet *packet)
{
    return read_asked(question, packet, false);
}

bool question_to_all(const struct question *q)
{
    return q->size == 16 ? q->destination[0] == 0xff : q->destination[0] >= 224;
}

void answer_read(struct answer *answer, const struct packet *packet)
{
    read_asked(&answer->said, packet, false);
    read_asked(&answer->quoted, packet, true);
}

static bool reversed(const struct question *question, const struct question *answer)
{
    if (question->size != answer->size || memcmp(answer->destination, question->source, question->size) != 0)
        return false;
    return question_to_all(question) || !memcmp(answer->source, question->destination, question->size);
}

static bool same_question(const struct question *a, const struct question *b)
{
    return a->addressed && b->addressed && a->size == b->size && !memcmp(a->source, b->source, a->size) &&
           !memcmp(a->destination, b->destination, a->size) && a->protocol == b->protocol &&
           a->source_port == b->source_port && a->destination_port == b->destination_port && a->ident == b->ident &&
           a->seq == b->seq;
}

bool answer_fits(const struct answer *answer, const struct question *question)
{
    const struct question *said = &answer->said;
    if (same_question(question, &answer->quoted))
        return true;
    if (!said->addressed || !reversed(question, said) || question->is_arp != said->is_arp)
        return false;
    if (question->is_arp)
        return said->kind != question->kind;
    if (!question->ported && !question->numbered)
        return said->top == question->top;
    if (question->protocol != said->protocol)
        return false;
    if (question->ported)
        return said->ported && said->source_port == question->destination_port &&
               said->destination_port == question->source_port;
    return said->numbered && said->ident == question->ident && said->seq == question->seq &&
           said->kind != question->kind;
}
