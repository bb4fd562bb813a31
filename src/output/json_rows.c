#include "output/json_rows.h"
#include "base/array.h"
#include "output/value.h"

void json_value(struct json *j, struct buffer *out, const struct field *f, const struct value *value)
{
    char *at;
    switch (f->type) {
    case FIELD_UINT:
    case FIELD_UINT_LE:
        at = buffer_room(out, NUMBER_ROOM);
        out->at = put_number(&j->digits, at, value->u);
        break;
    case FIELD_BYTES:
        at = buffer_room(out, 2 * value->bytes.left + 2);
        *at++ = '"';
        at = put_hex(&j->digits, at, value->bytes.at, value->bytes.left);
        *at++ = '"';
        out->at = at;
        break;
    default:
        value_write_json(out, f, value);
    }
}

char *json_row(struct json *j, const struct member *key, const struct field *f, const struct value *value, char *at)
{
    struct buffer *out = j->out;
    at = make_room(j, at, key->length + j->plan->room);
    at = put_text(at, key->text, key->length);
    if (j->open) {
        *j->open = '{';
        j->open = NULL;
    }
    out->at = at;
    json_value(j, out, f, value);
    return make_room(j, out->at, j->plan->room);
}

/* Room for one more piece, whose text may take n bytes and is then copied in chunks. NULL: no memory. */
static inline char *piece_room(struct json *j, size_t n)
{
    if (__builtin_expect(!array_grow(&j->pieces, sizeof *j->pieces, j->piece_count, &j->piece_room) ||
                             !array_grow(&j->touched, sizeof *j->touched, j->touched_count, &j->touched_room),
                         0)) {
        j->scratch.failed = 1;
        return NULL;
    }
    return buffer_room(&j->scratch, n + CHUNK);
}

/* What was written from `start` on is one more occurrence of a key. */
static inline void add_piece(struct json *j, uint32_t index, uint32_t start)
{
    struct member *key = &j->plan->keys[index];
    j->pieces[j->piece_count++] =
        (struct piece){ .start = start, .length = (uint32_t)buffer_used(&j->scratch) - start };
    if (key->last) {
        j->pieces[key->last - 1].next = j->piece_count;
    } else {
        key->first = j->piece_count;
        j->touched[j->touched_count++] = index;
    }
    key->last = j->piece_count;
}

void json_gather(struct json *j, uint32_t index, const struct field *f, const struct value *value)
{
    if (!piece_room(j, NUMBER_ROOM))
        return;
    uint32_t start = (uint32_t)buffer_used(&j->scratch);
    if (f->type == FIELD_UINT) {
        j->scratch.at = put_number(&j->digits, j->scratch.at, value->u);
    } else {
        json_value(j, &j->scratch, f, value);
        buffer_room(&j->scratch, CHUNK);
    }
    add_piece(j, index, start);
}

/* One array of what was gathered. */
static char *put_array(struct json *j, struct member *key, char *at)
{
    at = make_room(j, at, key->length + j->plan->room);
    char *start = at;
    at = put_text(at, key->text, key->length);
    *at++ = '[';
    if (j->recording)
        shape_text(&j->making, start, (uint32_t)(at - start));
    for (uint32_t p = key->first; p; p = j->pieces[p - 1].next) {
        const struct piece *piece = &j->pieces[p - 1];
        const char *text = j->scratch.start + piece->start;
        at = make_room(j, at, piece->length + j->plan->room);
        at = put_text(at, text, piece->length);
        *at++ = piece->next ? ',' : ']';
        if (j->recording) {
            if (piece->hole)
                shape_hole(&j->making, &j->holes[piece->hole - 1]);
            else
                shape_text(&j->making, text, piece->length);
            shape_text(&j->making, at - 1, 1);
        }
    }
    key->first = key->last = 0;
    return at;
}

char *json_gathered(struct json *j, char *at)
{
    for (uint32_t i = 0; i < j->touched_count; i++)
        at = put_array(j, &j->plan->keys[j->touched[i]], at);
    j->touched_count = j->piece_count = 0;
    j->scratch.at = j->scratch.start;
    return make_room(j, at, j->plan->room);
}
