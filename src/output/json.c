/* JSON Lines, quickly: by the plans that json_plan.c makes of the tables. */
#include "output/json.h"
#include "dissectors/registry.h"
#include "output/json_ops.h"
#include "output/json_rows.h"
#include <stdlib.h>

int json_open(struct json **json, struct error *error)
{
    struct json *j = *json = calloc(1, sizeof *j);
    bool good = j && !buffer_open(&j->scratch, -1, 4096);
    if (good)
        good = (j->shapes = calloc(SHAPES, sizeof *j->shapes)) && digits_open(&j->digits);
    good = good && plans_open(&j->plans);
    if (!good) {
        json_close(j);
        *json = NULL;
        return error_set(error, ERROR_MEMORY, "%s", _("json: no memory"));
    }
    j->place.recall = &j->recall;
    j->frame = find_plan(&j->plans, &frame_protocol);
    return 0;
}

void json_close(struct json *j)
{
    if (!j)
        return;
    plans_close(&j->plans);
    free(j->shapes);
    digits_close(&j->digits);
    free(j->pieces);
    free(j->touched);
    buffer_free(&j->scratch);
    free(j);
}

/* What a protocol's walk says. Fields that no table holds get their keys when they are first met. */
struct walk_sink {
    struct sink sink;
    struct json *json;
    char *at;
    unsigned depth; /* options around */
};

static void walked_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct walk_sink *w = (struct walk_sink *)sink;
    struct json *j = w->json;
    struct value told;
    uint32_t index;
    unsigned before = j->plan->key_count;
    if (field->type == FIELD_TLVS || !plan_key(j->plan, field->abbrev, &index))
        return;
    struct member *key = &j->plan->keys[index];
    if (index == before)
        key->many = field->flags & FIELD_MANY || field->stride || w->depth;
    if (key->many) {
        json_gather(j, index, field, value);
    } else if (key->written != j->layer && !(key->row && field_read(key->row, &j->place, 0, &told))) {
        key->written = j->layer;
        w->at = json_row(j, key, field, value, w->at);
    }
}

static void walked_option(struct sink *sink, const char *title, const struct value *value)
{
    (void)title;
    (void)value;
    ((struct walk_sink *)sink)->depth++;
}

static void walked_option_end(struct sink *sink)
{
    ((struct walk_sink *)sink)->depth--;
}

static char *put_walk(struct json *j, char *at)
{
    struct walk_sink w = { .sink = { .field = walked_field, .option = walked_option, .option_end = walked_option_end },
                           .json = j,
                           .at = at };
    j->plan->protocol->walk(j->place.packet, j->place.layer, &w.sink);
    return w.at;
}

/* What not every layer has. */
static char *put_rarities(struct json *j, char *at)
{
    static const char verdicts[][CHUNK] = { "", ",\"_verdict\":\"cut\"", ",\"_verdict\":\"malformed\"" };
    static const uint8_t lengths[] = { 0, 17, 23 };
    if (j->plan->protocol->walk)
        at = put_walk(j, at);
    if (j->touched_count)
        at = json_gathered(j, at);
    unsigned verdict = j->place.layer->verdict;
    return put_text(at, verdicts[verdict], lengths[verdict]);
}

/* A layer's fields from the comma of the first one on, which becomes the object's brace. */
static inline char *put_object(struct json *j, struct plan *plan, const struct layer *layer, struct span bytes,
                               char *at)
{
    j->plan = plan;
    j->place.layer = layer;
    j->place.rows = plan->protocol->fields;
    j->place.bytes = bytes;
    j->recall.row = NULL;
    j->recall.own[0] = j->recall.own[1] = 0;
    j->note = layer_note(j->place.packet, layer);
    j->noted = j->note ? j->note->have : 0;
    j->layer++;
    j->open = at;
    const struct op *ops = layer->flags ? plan->ops : plan->unguarded;
    if (bytes.left >= plan->need)
        at = ops->code(j, ops, at, bytes.at);
    else
        at = json_short_rows(j, at);
    if (plan->protocol->walk || j->touched_count || layer->verdict)
        at = put_rarities(j, at);
    at += at == j->open;
    if (j->open)
        *j->open = '{';
    return at;
}

static char *put_layer(struct json *j, const struct layer *layer, bool first, char *at)
{
    struct plan *plan = find_plan(&j->plans, layer->protocol);
    j->open = NULL;
    at = make_room(j, at, plan->room);
    at = put_text(at, plan->open + first, plan->open_length - first);
    at = put_object(j, plan, layer, layer_header(j->place.packet, layer), at);
    *at++ = '}';
    *at++ = '}';
    return at;
}

void json_write(struct json *j, struct buffer *out, const struct packet *packet)
{
    static const char layers[CHUNK] = ",\"layers\":[", end[CHUNK] = "]}\n";
    struct layer frame = { .protocol = &frame_protocol };
    j->out = out;
    j->place.packet = packet;
    j->open = NULL;
    char *at = make_room(j, out->at, j->frame->room);
    at = put_object(j, j->frame, &frame, (struct span){ 0 }, at);
    at = put_text(at, layers, 11);
    for (unsigned i = 0; i < packet->layer_count; i++)
        at = put_layer(j, &packet->layers[i], i == 0, at);
    j->open = NULL;
    at = make_room(j, at, OP_ROOM);
    out->at = put_text(at, end, 3);
}
