#include "output/lookup.h"
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
        if (f->type != FIELD_TLVS)
            continue;
        struct field_ref inside = ref;
        inside.run = f;
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

void lookup_read(const struct field_ref *ref, const struct packet *packet, const struct layer *layer,
                 void (*found)(void *context, const struct field *field, const struct value *value), void *context)
{
    struct place place = {
        .packet = packet, .layer = layer, .rows = layer->protocol->fields, .bytes = layer_header(packet, layer)
    };
    if (!ref->run) {
        read_row(ref->field, &place, found, context);
        return;
    }
    struct value run;
    if (!field_read(ref->run, &place, 0, &run))
        return;
    struct option option;
    struct place inside = place;
    inside.rows = ref->rows;
    while (tlv_next(ref->run->tlvs, &run.bytes, &option)) {
        if (ref->tlv && (ref->tlv != option.tlv || !option_has_rows(&option, layer)))
            continue;
        inside.bytes = option.bytes;
        inside.start = (uint32_t)(option.bytes.at - place.bytes.at);
        read_row(ref->field, &inside, found, context);
    }
}
