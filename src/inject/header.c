#include "inject/header.h"
#include "dissectors/registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void no_such(const char *name)
{
    fprintf(stderr, "peel: no table has %s\n", name);
    abort();
}

static const struct protocol *protocol_of(const char *name)
{
    const struct protocol *protocol = registry_by_name(name);
    if (!protocol)
        no_such(name);
    return protocol;
}

struct header header_begin(const char *protocol, uint8_t *bytes, size_t length)
{
    memset(bytes, 0, length);
    return (struct header){ protocol_of(protocol), bytes, length };
}

static const struct packet nothing;

static struct place place_of(const struct header *h, const struct layer *layer)
{
    return (struct place){
        .packet = &nothing, .layer = layer, .rows = h->protocol->fields, .bytes = { h->bytes, h->length }
    };
}

static enum put put(const struct header *h, const char *name, const struct value *value)
{
    struct layer layer = { .protocol = h->protocol, .length = (uint32_t)h->length, .end = (uint32_t)h->length };
    struct place place = place_of(h, &layer);
    enum put result = PUT_COMPUTED;
    for (const struct field *f = h->protocol->fields; f->abbrev && result != PUT_DONE; f++)
        if (!strcmp(f->abbrev, name))
            result = field_put(f, &place, 0, h->bytes, value);
    return result;
}

void header_put(const struct header *h, const char *name, uint64_t value)
{
    struct value v = { .u = value };
    if (put(h, name, &v) != PUT_DONE)
        no_such(name);
}

void header_put_bytes(const struct header *h, const char *name, const uint8_t *bytes, size_t n)
{
    struct value v = { .bytes = { bytes, n } };
    if (put(h, name, &v) != PUT_DONE)
        no_such(name);
}

bool header_get(const struct header *h, const char *name, struct value *value)
{
    struct layer layer = { .protocol = h->protocol, .length = (uint32_t)h->length, .end = (uint32_t)h->length };
    struct place place = place_of(h, &layer);
    for (const struct field *f = h->protocol->fields; f->abbrev; f++)
        if (!strcmp(f->abbrev, name) && field_read(f, &place, 0, value))
            return true;
    return false;
}

struct slot header_slot(const struct header *h, const char *name)
{
    struct layer layer = { .protocol = h->protocol, .length = (uint32_t)h->length, .end = (uint32_t)h->length };
    struct place place = place_of(h, &layer);
    for (const struct field *f = h->protocol->fields; f->abbrev; f++) {
        struct slot slot;
        if (!strcmp(f->abbrev, name) && field_locate(f, &place, 0, &slot.bit, &slot.width) && slot.width)
            return slot;
    }
    no_such(name);
}

void slot_put(uint8_t *header, struct slot slot, uint32_t value)
{
    uint8_t *at = header + slot.bit / 8;
    if (slot.width == 32)
        store_be32(at, value);
    else if (slot.width == 16)
        store_be16(at, (uint16_t)value);
    else
        *at = (uint8_t)value;
}

uint32_t slot_get(const uint8_t *header, struct slot slot)
{
    return (uint32_t)bits_load(header, slot.bit, slot.width);
}

/* ---- options */

static const struct tlv_set *set_of(const struct protocol *protocol, const char *name)
{
    for (const struct field *f = protocol->fields; f->abbrev; f++)
        if (!strcmp(f->abbrev, name) && f->tlvs)
            return f->tlvs;
    no_such(name);
}

static const struct tlv *tlv_of(const struct tlv_set *set, const char *name)
{
    for (const struct tlv *t = set->kinds; t->title; t++)
        for (const struct field *f = t->fields; f && f->abbrev; f++)
            if (!strcmp(f->abbrev, name))
                return t;
    no_such(name);
}

/* The rows of its own; one that is computed, or lies over the head (a mark that the option is there), is no value. */
static void take_rows(struct option_form *form, const struct tlv *t)
{
    unsigned n = 0;
    for (const struct field *f = t->fields; f->abbrev; f++) {
        uint32_t end = (uint32_t)(f->bit + f->width + 7) / 8;
        if (f->read || f->note_bit)
            continue;
        if (end > form->length)
            form->length = (uint8_t)end;
        if (f->bit / 8 >= form->head_size && n < 2)
            form->value[n++] = (struct slot){ f->bit, f->width };
        form->stride = f->stride;
    }
}

struct option_form option_find(const char *protocol, const char *options, const char *name)
{
    struct option_form form = { .set = set_of(protocol_of(protocol), options) };
    const struct tlv *t = tlv_of(form.set, name);
    form.kind = t->kind;
    form.head_size = (uint8_t)(form.set->kind_size + form.set->length_size);
    form.length = form.head_size;
    take_rows(&form, t);
    option_put(&form, form.head, form.length);
    return form;
}

/* Kinds and lengths are one byte each wherever options are written here. */
uint8_t *option_put(const struct option_form *form, uint8_t *at, size_t length)
{
    size_t counted = length - form->head_size + form->set->included;
    at[0] = (uint8_t)form->kind;
    at[1] = (uint8_t)((counted + form->set->unit - 1) / form->set->unit);
    return at + length;
}
