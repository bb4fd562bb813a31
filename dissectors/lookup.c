#include "dissectors/lookup.h"
#include "dissectors/registry.h"
#include "protocol/tlv.h"
#include <string.h>

struct each {
    bool (*call)(void *context, const struct field_ref *ref);
    void *context;
};

static bool each_row(const struct each *each, struct field_ref ref, const struct field *rows)
{
    ref.rows = rows;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        ref.field = f;
        if (!each->call(each->context, &ref))
            return false;
        if (f->type != FIELD_TLVS || ref.depth == RUNS_MAX - 1)
            continue;
        struct field_ref inside = ref;
        if (ref.run) {
            inside.outer[ref.depth].run = ref.run;
            inside.outer[ref.depth].tlv = ref.tlv;
            inside.depth++;
        }
        inside.run = f;
        inside.tlv = NULL;
        if (!each_row(each, inside, f->tlvs->common))
            return false;
        for (inside.tlv = f->tlvs->kinds; inside.tlv->title; inside.tlv++)
            if (!each_row(each, inside, inside.tlv->fields))
                return false;
    }
    return true;
}

void lookup_each(bool (*call)(void *context, const struct field_ref *ref), void *context)
{
    struct each each = { call, context };
    for (const struct protocol *const *p = protocols; *p; p++)
        if (!each_row(&each, (struct field_ref){ .protocol = *p }, (*p)->fields))
            return;
}

struct search {
    const char *name;
    struct field_ref *refs;
    unsigned count, most;
};

static bool matches(void *context, const struct field_ref *ref)
{
    struct search *s = context;
    if (strcmp(ref->field->abbrev, s->name) != 0 && (!ref->field->also || strcmp(ref->field->also, s->name) != 0))
        return true;
    /* The same option table under several kinds (record route, source routes) is several places of one field. */
    if (s->count < s->most)
        s->refs[s->count] = *ref;
    s->count++;
    return true;
}

unsigned lookup_field(const char *name, struct field_ref *refs, unsigned most)
{
    struct search s = { name, refs, 0, most };
    lookup_each(matches, &s);
    return s.count;
}

static void read_row(const struct field *field, const struct place *place,
                     void (*found)(void *, const struct field *, const struct value *), void *context)
{
    struct value value;
    for (unsigned turn = 0; field_read(field, place, turn, &value); turn++) {
        found(context, field, &value);
        if (!field->stride)
            return;
    }
}

struct reading {
    const struct field_ref *ref;
    void (*found)(void *, const struct field *, const struct value *);
    void *context;
};

/* The field in each option of a run; where others are around it, in each option of the runs within. */
static void read_run(const struct reading *r, unsigned level, const struct place *place)
{
    bool outer = level < r->ref->depth;
    const struct field *run = outer ? r->ref->outer[level].run : r->ref->run;
    const struct tlv *tlv = outer ? r->ref->outer[level].tlv : r->ref->tlv;
    struct value value;
    struct option option;
    if (!field_read(run, place, 0, &value))
        return;
    while (tlv_next(run->tlvs, &value.bytes, &option)) {
        if (tlv && (tlv != option.tlv || !option_has_rows(&option, place->layer)))
            continue;
        size_t head = tlv ? option.head : 0;
        struct place inside = *place;
        inside.bytes = span_part(option.bytes, head, option.bytes.left);
        inside.start = place->start + (uint32_t)(inside.bytes.at - place->bytes.at);
        inside.rows = outer ? tlv ? tlv->fields : run->tlvs->common : r->ref->rows;
        if (outer)
            read_run(r, level + 1, &inside);
        else
            read_row(r->ref->field, &inside, r->found, r->context);
    }
}

void lookup_read(const struct field_ref *ref, const struct packet *packet, const struct layer *layer,
                 void (*found)(void *context, const struct field *field, const struct value *value), void *context)
{
    struct place place = {
        .packet = packet, .layer = layer, .rows = layer->protocol->fields, .bytes = layer_header(packet, layer)
    };
    struct reading reading = { ref, found, context };
    if (ref->run)
        read_run(&reading, 0, &place);
    else
        read_row(ref->field, &place, found, context);
}

uint64_t lookup_notes(const struct field_ref *ref)
{
    const struct field *field = ref->field;
    uint64_t notes = ref->protocol->frame ? UINT64_C(1) << NOTE_MESSAGES : 0;
    if (field->note_bit || field->flags & FIELD_TRACKED)
        notes |= UINT64_C(1) << (field->note_bit ? field->note_bit - 1 : NOTE_SEQ);
    return notes;
}
