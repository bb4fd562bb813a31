/* -T json: what is written is JSON, and says what the tables say. The checker here is stricter than JSON asks for: no
 * key twice in an object, no white space, no byte below a space. */
#include "output/json.h"
#include "base/address.h"
#include "base/clock.h"
#include "capture/capture.h"
#include "dissectors/lookup.h"
#include "output/json_text.h"
#include "output/value.h"
#include "protocol/checksum.h"
#include "segments.h"
#include <glob.h>
#include <stdlib.h>

/* --- a JSON checker --- */

struct text {
    const char *at, *end;
};

struct entry {
    const char *key, *value; /* of an object's member: its key without quotes, its value's text */
    size_t key_length, value_length;
};

enum { ENTRIES_MAX = 512, NOBODYS_LINK = 9999 };

static void value_of(struct text *t);

static void take_char(struct text *t, char c)
{
    cr_assert(t->at < t->end && *t->at == c, "expected %c at %.40s", c, t->at);
    t->at++;
}

static void string_of(struct text *t)
{
    take_char(t, '"');
    while (t->at < t->end && *t->at != '"') {
        uint32_t code = 0;
        unsigned n = utf8_length((const uint8_t *)t->at, (size_t)(t->end - t->at), &code);
        cr_assert(n && code >= 0x20, "not text: %.40s", t->at);
        if (code != '\\') {
            t->at += n;
            continue;
        }
        cr_assert(t->end - t->at > 2 && strchr("\"\\/bfnrtu", t->at[1]));
        n = t->at[1] == 'u' ? 6 : 2;
        cr_assert(n == 2 || (t->end - t->at > 6 && strspn(t->at + 2, "0123456789abcdefABCDEF") >= 4));
        t->at += n;
    }
    take_char(t, '"');
}

static void number_of(struct text *t)
{
    const char *digits = "0123456789";
    if (*t->at == '-')
        t->at++;
    size_t n = strspn(t->at, digits);
    cr_assert(n && (n == 1 || *t->at != '0'), "no number: %.40s", t->at);
    t->at += n;
    cr_assert(t->at < t->end && !strchr(".eE", *t->at), "no field is a fraction");
}

/* Fills entries with the members; returns how many. */
static unsigned object_of(struct text *t, struct entry *entries)
{
    unsigned count = 0;
    take_char(t, '{');
    while (*t->at != '}') {
        if (count)
            take_char(t, ',');
        struct entry *e = &entries[count++];
        cr_assert_lt(count, ENTRIES_MAX);
        e->key = t->at + 1;
        string_of(t);
        e->key_length = (size_t)(t->at - 1 - e->key);
        take_char(t, ':');
        e->value = t->at;
        value_of(t);
        e->value_length = (size_t)(t->at - e->value);
        for (unsigned i = 0; i + 1 < count; i++)
            cr_assert(entries[i].key_length != e->key_length || memcmp(entries[i].key, e->key, e->key_length),
                      "twice: %.*s", (int)e->key_length, e->key);
    }
    t->at++;
    return count;
}

static void array_of(struct text *t)
{
    take_char(t, '[');
    for (bool first = true; *t->at != ']'; first = false) {
        if (!first)
            take_char(t, ',');
        value_of(t);
    }
    t->at++;
}

static void value_of(struct text *t)
{
    struct entry inner[ENTRIES_MAX];
    cr_assert_lt(t->at, t->end);
    switch (*t->at) {
    case '{':
        object_of(t, inner);
        return;
    case '[':
        array_of(t);
        return;
    case '"':
        string_of(t);
        return;
    case 't':
    case 'f':
        for (const char *word = *t->at == 't' ? "true" : "false"; *word; word++)
            take_char(t, *word);
        return;
    default:
        number_of(t);
    }
}

static const struct entry *find(const struct entry *entries, unsigned count, const char *key)
{
    for (unsigned i = 0; i < count; i++)
        if (entries[i].key_length == strlen(key) && !memcmp(entries[i].key, key, entries[i].key_length))
            return &entries[i];
    return NULL;
}

/* --- what the tables say --- */

/* A layer's fields by a plain walk: each name's values in one text, [a,b] for what may occur more than once. */
struct expected {
    struct sink sink;
    const struct protocol *protocol;
    unsigned count;
    struct {
        const char *name;
        bool many;
        struct buffer text;
    } names[ENTRIES_MAX];
};

struct question {
    const struct protocol *protocol;
    const char *name;
    bool many;
};

static bool ask(void *context, const struct field_ref *ref)
{
    struct question *q = context;
    if (ref->protocol == q->protocol && !strcmp(ref->field->abbrev, q->name))
        q->many |= ref->run || ref->field->stride || ref->field->flags & FIELD_MANY;
    return !q->many;
}

static void expect(struct sink *sink, const struct field *field, const struct value *value)
{
    struct expected *e = (struct expected *)sink;
    unsigned i = 0;
    if (field->type == FIELD_TLVS)
        return;
    while (i < e->count && strcmp(e->names[i].name, field->abbrev))
        i++;
    if (i < e->count && !e->names[i].many)
        return;
    if (i == e->count) {
        cr_assert_lt(i, ENTRIES_MAX);
        struct question q = { e->protocol, field->abbrev, false };
        lookup_each(ask, &q);
        e->names[e->count++].name = field->abbrev;
        e->names[i].many = q.many;
        buffer_open(&e->names[i].text, -1, 64);
        if (q.many)
            buffer_char(&e->names[i].text, '[');
    } else {
        buffer_char(&e->names[i].text, ',');
    }
    value_write_json(&e->names[i].text, field, value);
}

static void check_layer(const struct packet *p, const struct layer *layer, const struct entry *entries, unsigned count)
{
    static struct expected e;
    e.sink.field = expect;
    e.protocol = layer->protocol;
    e.count = 0;
    walk_layer(p, layer, &e.sink);
    const struct entry *verdict = find(entries, count, "_verdict");
    cr_assert_eq(verdict != NULL, layer->verdict != VERDICT_WHOLE);
    cr_assert(!verdict || !strncmp(verdict->value, layer->verdict == VERDICT_CUT ? "\"cut\"" : "\"malformed\"",
                                   verdict->value_length));
    unsigned named = 0;
    for (unsigned i = 0; i < count; i++)
        named += entries[i].value[0] != '{' && memcmp(entries[i].value, "[{", 2) != 0 &&
                 strncmp(entries[i].key, "layers\"", 7) != 0;
    cr_assert_eq(named, e.count + (verdict != NULL), "%s: %u members for %u fields", layer->protocol->name, named,
                 e.count);
    for (unsigned i = 0; i < e.count; i++) {
        struct buffer *text = &e.names[i].text;
        if (e.names[i].many)
            buffer_char(text, ']');
        const struct entry *entry = find(entries, count, e.names[i].name);
        cr_assert_not_null(entry, "%s is missing", e.names[i].name);
        cr_assert(entry->value_length == buffer_used(text) && !memcmp(entry->value, text->start, buffer_used(text)),
                  "%s is %.*s instead of %.*s", e.names[i].name, (int)entry->value_length, entry->value,
                  (int)buffer_used(text), text->start);
        buffer_free(text);
    }
}

/* The line is JSON, and each layer's object has the fields of a plain walk, no more. */
static void check_line(struct json *j, struct buffer *out, const struct packet *p)
{
    static struct entry top[ENTRIES_MAX], outer[ENTRIES_MAX], inner[ENTRIES_MAX];
    out->at = out->start;
    json_write(j, out, p);
    struct text t = { out->start, out->at };
    unsigned count = object_of(&t, top);
    cr_assert_eq(t.end - t.at, 1);
    cr_assert_eq(*t.at, '\n');
    struct layer frame = { .protocol = &frame_protocol };
    check_layer(p, &frame, top, count);
    const struct entry *layers = find(top, count, "layers");
    cr_assert_not_null(layers);
    t = (struct text){ layers->value, out->at };
    for (unsigned i = 0; i < p->layer_count; i++) {
        take_char(&t, i ? ',' : '[');
        cr_assert_eq(object_of(&t, outer), 1);
        cr_assert(find(outer, 1, p->layers[i].protocol->name) == outer);
        struct text object = { outer[0].value, t.at };
        check_layer(p, &p->layers[i], inner, object_of(&object, inner));
    }
    if (!p->layer_count)
        take_char(&t, '[');
    take_char(&t, ']');
}

/* --- packets --- */

struct bench {
    struct json *json;
    struct buffer out;
    struct scene *scene;
};

static struct bench open_bench(void)
{
    struct bench b;
    struct error error;
    b.scene = scene_open(TRACK_STREAMS | TRACK_FRAGMENTS | TRACK_MESSAGES);
    b.scene->packet.streams = true;
    cr_assert_eq(json_open(&b.json, &error), 0);
    cr_assert_eq(buffer_open(&b.out, -1, 64), 0);
    return b;
}

static void close_bench(struct bench *b)
{
    json_close(b->json);
    buffer_free(&b->out);
    tracker_close(&b->scene->tracker);
}

static uint64_t state = 88172645463325252u;

static uint32_t any(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static struct packet *dissected(struct bench *b, const uint8_t *bytes, size_t n, uint16_t link, bool timed)
{
    struct packet *p = &b->scene->packet;
    packet_reset(p, (struct span){ bytes, n });
    p->number = ++b->scene->number;
    p->time = b->scene->now;
    p->time_delta = (int64_t)any(2000000000) - 1000000;
    p->time_relative = p->time - INT64_C(1000000000000);
    p->timed = timed;
    p->link_type = link;
    p->wire_length = (uint32_t)n + any(2);
    dissect(p);
    tracker_take(&b->scene->tracker, p);
    wait_ms(b->scene, any(3000));
    return p;
}

/* A heap copy of just its size, so that a sanitizer sees every byte read beyond it. */
static void check_bytes(struct bench *b, const uint8_t *bytes, size_t n, uint16_t link)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    check_line(b->json, &b->out, dissected(b, copy, n, link, any(8) != 0));
    free(copy);
}

static const uint8_t ethernet[14] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };

/* A SYN with the options that hosts send, behind an Ethernet header. */
static size_t put_syn(uint8_t *at)
{
    static const uint8_t segment[] = {
        0x03, 0xe8, 0, 80,   0, 0, 0x30, 0x39, 0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0,
        2,    4,    5, 0xb4, 4, 2, 8,    10,   1, 2, 3, 4, 0,    0, 0,    0,    1, 3, 3, 7,
    };
    memcpy(at, ethernet, sizeof ethernet);
    uint8_t *h = at + sizeof ethernet;
    memcpy(h, (uint8_t[]){ 0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2 }, 20);
    store_be16(h + 10, header_sum(h, 20));
    memcpy(h + 20, segment, sizeof segment);
    struct network network = { h + 12, h + 16, h + 16, 4, 6 };
    uint32_t sum = checksum_add(checksum_pseudo(&network, 6, sizeof segment), segment, sizeof segment);
    store_be16(h + 36, checksum_finish(sum));
    return sizeof ethernet + 20 + sizeof segment;
}

Test(json, a_syn_is_this_line)
{
    static const char wanted[] =
        "{\"frame.number\":1,\"frame.time_epoch\":\"1700000000.123456789\",\"frame.time_delta\":\"0.000000000\","
        "\"frame.time_relative\":\"0.000000000\",\"frame.len\":74,\"frame.cap_len\":74,\"frame.interface_id\":0,"
        "\"frame.link_type\":1,\"layers\":["
        "{\"eth\":{\"eth.dst\":\"02:00:00:00:00:02\",\"eth.src\":\"02:00:00:00:00:01\",\"eth.type\":2048}},"
        "{\"ip\":{\"ip.version\":4,\"ip.hdr_len\":20,\"ip.dsfield\":0,\"ip.dsfield.dscp\":0,\"ip.dsfield.ecn\":0,"
        "\"ip.len\":60,\"ip.id\":1,\"ip.flags\":2,\"ip.flags.rb\":false,\"ip.flags.df\":true,\"ip.flags.mf\":false,"
        "\"ip.frag_offset\":0,\"ip.ttl\":64,\"ip.proto\":6,\"ip.checksum\":9913,\"ip.checksum.status\":1,"
        "\"ip.src\":\"10.0.0.1\",\"ip.dst\":\"10.0.0.2\"}},"
        "{\"tcp\":{\"tcp.srcport\":1000,\"tcp.dstport\":80,\"tcp.stream\":0,\"tcp.len\":0,\"tcp.seq\":0,"
        "\"tcp.seq_raw\":12345,\"tcp.nxtseq\":1,\"tcp.ack\":0,\"tcp.ack_raw\":0,\"tcp.hdr_len\":40,\"tcp.flags\":2,"
        "\"tcp.flags.res\":false,\"tcp.flags.ae\":false,\"tcp.flags.cwr\":false,\"tcp.flags.ece\":false,"
        "\"tcp.flags.urg\":false,\"tcp.flags.ack\":false,\"tcp.flags.push\":false,\"tcp.flags.reset\":false,"
        "\"tcp.flags.syn\":true,\"tcp.flags.fin\":false,\"tcp.window_size_value\":64240,\"tcp.window_size\":64240,"
        "\"tcp.checksum\":150,\"tcp.checksum.status\":1,\"tcp.urgent_pointer\":0,"
        "\"tcp.option_kind\":[2,4,8,1,3],\"tcp.option_len\":[4,2,10,3],\"tcp.options.mss_val\":[1460],"
        "\"tcp.options.sack_perm\":[true],\"tcp.options.timestamp.tsval\":[16909060],"
        "\"tcp.options.timestamp.tsecr\":[0],\"tcp.options.wscale.shift\":[7],"
        "\"tcp.options.wscale.multiplier\":[128],\"tcp.time_relative\":\"0.000000000\","
        "\"tcp.time_delta\":\"0.000000000\"}}]}\n";
    struct bench b = open_bench();
    uint8_t bytes[128];
    size_t n = put_syn(bytes);
    b.scene->now = INT64_C(1700000000123456789);
    struct packet *p = dissected(&b, bytes, n, 1, true);
    p->time_delta = p->time_relative = 0;
    p->wire_length = 74;
    json_write(b.json, &b.out, p);
    cr_assert_eq(buffer_used(&b.out), sizeof wanted - 1, "%.*s", (int)buffer_used(&b.out), b.out.start);
    cr_assert(!memcmp(b.out.start, wanted, sizeof wanted - 1), "%.*s", (int)buffer_used(&b.out), b.out.start);
    close_bench(&b);
}

Test(json, every_length_of_a_syn_agrees_with_its_table)
{
    struct bench b = open_bench();
    uint8_t bytes[128];
    size_t n = put_syn(bytes);
    for (unsigned turn = 0; turn < 2; turn++)
        for (size_t i = 0; i <= n; i++)
            check_bytes(&b, bytes, i, 1);
    close_bench(&b);
}

Test(json, a_packet_without_time_has_no_time)
{
    struct bench b = open_bench();
    uint8_t bytes[128];
    json_write(b.json, &b.out, dissected(&b, bytes, put_syn(bytes), 1, false));
    buffer_char(&b.out, 0);
    cr_assert_null(strstr(b.out.start, "frame.time"));
    close_bench(&b);
}

Test(json, any_byte_of_a_comment_makes_good_text)
{
    struct bench b = open_bench();
    uint8_t bytes[128], comment[256];
    struct packet *p = dissected(&b, bytes, put_syn(bytes), 1, true);
    for (unsigned i = 0; i < 256; i++)
        comment[i] = (uint8_t)i;
    p->comment = (struct span){ comment, sizeof comment };
    check_line(b.json, &b.out, p);
    for (unsigned turn = 0; turn < 2000; turn++) {
        for (unsigned i = 0; i < 32; i++)
            comment[i] = (uint8_t)any(256);
        p->comment.left = any(32);
        check_line(b.json, &b.out, p);
    }
    close_bench(&b);
}

Test(json, random_option_runs_agree_with_the_tables)
{
    static const uint8_t kinds[] = { 0, 1, 1, 1, 2, 3, 4, 5, 5, 8, 8, 8, 19, 28, 29, 30, 34, 77 };
    struct bench b = open_bench();
    uint8_t bytes[128];
    for (unsigned turn = 0; turn < 20000; turn++) {
        size_t n = put_syn(bytes), size = 4 * any(11);
        bytes[14 + 20 + 12] = (uint8_t)((20 + size) * 4);
        uint8_t *o = bytes + n - 40 + 20, *end = o + size;
        store_be16(bytes + 16, (uint16_t)(40 + size));
        while (o < end) {
            uint8_t kind = kinds[any(sizeof kinds)];
            *o++ = kind;
            if (kind < 2 || o == end)
                continue;
            *o++ = kind == 8 ? 10 : (uint8_t)(any(8) ? 2 + any(16) : any(256));
            for (unsigned i = any(9); i && o < end; i--)
                *o++ = (uint8_t)any(any(2) ? 256 : 2);
        }
        check_bytes(&b, bytes, 14 + 40 + size, 1);
    }
    close_bench(&b);
}

/* Starts of packets that lead to each dissector; what follows is random. */
static const struct {
    uint16_t link;
    uint8_t size, bytes[44];
} starts[] = {
    { 1, 14, { 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 0 } },
    { 1, 20, { 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4 } },
    { 1, 18, { 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0x81, 0, 0, 5, 8, 0 } },
    { 1, 14, { 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 40 } },
    { 228, 10, { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 1 } },
    { 228, 10, { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 2 } },
    { 228, 10, { 0x4a, 0, 0, 90, 0, 0, 0, 0, 64, 6 } },
    { 228, 10, { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17 } },
    { 228, 10, { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 4 } },
    { 228, 10, { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 51 } },
    { 229, 7, { 0x60, 0, 0, 0, 0, 60, 0 } },
    { 229, 7, { 0x60, 0, 0, 0, 0, 60, 6 } },
    { 229, 7, { 0x60, 0, 0, 0, 0, 60, 43 } },
    { 229, 7, { 0x60, 0, 0, 0, 0, 60, 44 } },
    { 229, 7, { 0x60, 0, 0, 0, 0, 60, 60 } },
    { 229, 41, { 0x60, 0, 0, 0, 0, 60, 58, 255, [40] = 134 } },
    { 229, 41, { 0x60, 0, 0, 0, 0, 60, 58, 255, [40] = 143 } },
    { 229, 41, { 0x60, 0, 0, 0, 0, 60, 58, 255, [40] = 130 } },
    { 229, 41, { 0x60, 0, 0, 0, 0, 60, 58, 255, [40] = 3 } },
    { 113, 16, { 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0 } },
    { 276, 2, { 8, 0 } },
    { 0, 4, { 2, 0, 0, 0 } },
    { 12, 1, { 0x45 } },
    { 77, 0, { 0 } },
};

Test(json, random_packets_agree_with_the_tables)
{
    struct bench b = open_bench();
    uint8_t bytes[256];
    for (unsigned turn = 0; turn < 40000; turn++) {
        unsigned which = any(sizeof starts / sizeof *starts), range = any(3) ? 256 : 4;
        for (unsigned i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)any(range);
        memcpy(bytes, starts[which].bytes, starts[which].size);
        size_t n = any(4) ? 40 + any(120) : any(sizeof bytes);
        if (starts[which].link == 228 && any(2) && n > 40)
            bytes[20] = (uint8_t)any(18);
        check_bytes(&b, bytes, n, starts[which].link);
    }
    close_bench(&b);
}

/* A header of each protocol, whatever lies in it and whatever is known about it. */
Test(json, every_table_agrees_with_itself)
{
    struct bench b = open_bench();
    for (const struct protocol *const *protocol = protocols; *protocol; protocol++)
        for (unsigned turn = 0; turn < 400; turn++) {
            size_t n = any(turn % 4 ? 64 : 400);
            uint8_t *bytes = malloc(n ? n : 1);
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)any(any(3) ? 256 : 12);
            struct packet *p = dissected(&b, bytes, n, NOBODYS_LINK, true);
            p->layer_count = p->note_count = 1;
            p->layers[0] = (struct layer){ .protocol = *protocol,
                                           .length = (uint32_t)n,
                                           .end = (uint32_t)n + any(3),
                                           .verdict = (uint8_t)any(3),
                                           .flags = (uint8_t)any(16),
                                           .note = (uint8_t)any(2) };
            for (size_t i = 0; i < sizeof p->notes[0]; i++)
                ((uint8_t *)p->notes)[i] = (uint8_t)any(256);
            check_line(b.json, &b.out, p);
            free(bytes);
        }
    close_bench(&b);
}

/* The edges of SACK blocks are relative to what is known of the other end: the same bytes say another thing in another
 * packet. */
Test(json, options_that_depend_on_more_than_their_bytes_are_read_anew)
{
    struct bench b = open_bench();
    uint8_t bytes[60] = { 0x45, 0,    0, 60, 0, 1, 0x40, 0, 64, 6, 0,    0, 10,   0,  0,    1, 10, 0, 0,    2,
                          0x03, 0xe8, 0, 80, 0, 0, 1,    0, 0,  0, 0,    1, 0xa0, 16, 1,    0, 0,  0, 0,    0,
                          1,    1,    5, 18, 0, 0, 0x20, 0, 0,  0, 0x28, 0, 0,    0,  0x30, 0, 0,  0, 0x38, 0 };
    for (unsigned turn = 0; turn < 200; turn++) {
        bytes[28 + any(4)] = (uint8_t)any(256);
        bytes[44 + any(16)] = (uint8_t)any(256);
        struct packet *p = dissected(&b, bytes, sizeof bytes, 228, true);
        check_line(b.json, &b.out, p);
        for (unsigned i = 0; i < p->note_count; i++)
            p->notes[i].ack = any(UINT32_MAX);
        check_line(b.json, &b.out, p);
    }
    close_bench(&b);
}

/* The same header again and again, but for the values in it. */
static void check_again(struct bench *b, uint8_t *bytes, size_t from, size_t n, uint16_t link)
{
    for (unsigned turn = 0; turn < 3; turn++) {
        check_bytes(b, bytes, n, link);
        for (size_t i = from; i < n; i++)
            bytes[i] = (uint8_t)any(256);
    }
}

Test(json, fields_that_go_here_or_there_are_found_by_the_flags_that_say_so)
{
    enum { IP = 20, GRE = 4, MOST = 40 };
    static const uint16_t types[] = { 0x0800, 0x880b, 0x883e };
    struct bench b = open_bench();
    uint8_t bytes[IP + MOST] = { 0x45, 0, 0, sizeof bytes, 0, 0, 0, 0, 64, 47 };
    for (unsigned flags = 0; flags < 256; flags++)
        for (unsigned more = 0; more < 8; more++)
            for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
                bytes[IP] = (uint8_t)flags;
                bytes[IP + 1] = (uint8_t)(more % 2 | (more & 2) << 6 | (more & 4) << 2);
                store_be16(bytes + IP + 2, types[i]);
                check_again(&b, bytes, IP + GRE, any(4) ? sizeof bytes : IP + any(MOST), 228);
            }
    close_bench(&b);
}

Test(json, addresses_of_any_size_are_found_in_arp)
{
    enum { ETHERNET = 14, HEAD = 8 };
    static const uint8_t hardware[] = { 1, 6, 19, 32 };
    struct bench b = open_bench();
    uint8_t bytes[ETHERNET + HEAD + 40] = { [12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
    for (unsigned i = 0; i < sizeof hardware; i++)
        for (unsigned size = 0; size < 9 * 6; size++) {
            bytes[15] = hardware[i];
            bytes[16] = any(8) ? 8 : 0x86;
            bytes[18] = (uint8_t)(size % 9);
            bytes[19] = (uint8_t)(size / 9);
            check_again(&b, bytes, ETHERNET + HEAD, any(4) ? sizeof bytes : ETHERNET + any(48), 1);
        }
    close_bench(&b);
}

/* Names that are nothing but pointers: to the one before, to others, to themselves, forwards. */
Test(json, names_are_spelled_by_where_each_points)
{
    enum { HEAD = 20 + 8 + 12, QUESTION = 6, QUESTIONS = 20 };
    struct bench b = open_bench();
    uint8_t bytes[HEAD + QUESTIONS * QUESTION] = { 0x45, 0, 0, sizeof bytes, 0, 0, 0, 0, 64, 17 };
    store_be16(bytes + 22, 53);
    store_be16(bytes + 24, sizeof bytes - 20);
    for (unsigned turn = 0; turn < 2000; turn++) {
        bytes[HEAD - 7] = (uint8_t)any(QUESTIONS);
        bytes[HEAD - 5] = (uint8_t)any(QUESTIONS);
        for (unsigned i = 0; i < QUESTIONS; i++) {
            uint8_t *q = bytes + HEAD + i * QUESTION;
            uint32_t target = 12 + QUESTION * any(any(2) ? 4 : QUESTIONS) + (any(4) ? 0 : any(QUESTION));
            memcpy(q, (uint8_t[]){ 0xc0, (uint8_t)target, 0, 1, 0, 1 }, QUESTION);
            if (!any(3))
                memcpy(q, (uint8_t[]){ 1, 'a', (uint8_t)any(2), 0, 1, 0 }, QUESTION);
        }
        check_bytes(&b, bytes, sizeof bytes, 228);
    }
    close_bench(&b);
}

static void check_capture(struct bench *b, const char *path)
{
    struct capture *capture;
    struct error error;
    struct record record;
    cr_assert_eq(capture_open(&capture, path, &error), 0, "%s", error.text);
    while (capture_next(capture, &record, &error) > 0) {
        size_t n = record.bytes.left;
        check_bytes(b, record.bytes.at, n, record.link_type);
        uint8_t *bytes = malloc(n + 1); /* the same, damaged and cut */
        memcpy(bytes, record.bytes.at, n);
        for (unsigned i = any(6); n && i > 0; i--)
            bytes[any(n < 100 ? (uint32_t)n : 100)] = (uint8_t)any(any(2) ? 256 : 16);
        check_bytes(b, bytes, any(2) ? n : any((uint32_t)n + 1), record.link_type);
        free(bytes);
    }
    capture_close(capture);
}

/* PEEL_TEST_CAPTURES: other captures than those of testdata, a pattern of the shell. */
Test(json, captures_whole_and_damaged_agree_with_the_tables)
{
    struct bench b = open_bench();
    const char *pattern = getenv("PEEL_TEST_CAPTURES");
    glob_t files;
    cr_assert_eq(glob(pattern ? pattern : TESTDATA "/*.pcapng", GLOB_BRACE, NULL, &files), 0);
    for (unsigned turn = 0; turn < (pattern ? 1 : 40); turn++)
        for (size_t i = 0; i < files.gl_pathc; i++)
            check_capture(&b, files.gl_pathv[i]);
    globfree(&files);
    close_bench(&b);
}

Test(json, a_small_buffer_with_a_file_is_written_as_a_whole)
{
    struct bench b = open_bench();
    uint8_t bytes[2000];
    char path[] = "/tmp/peel-json-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    struct buffer small;
    cr_assert_eq(buffer_open(&small, fd, 16), 0);
    memset(bytes, 7, sizeof bytes);
    size_t n = put_syn(bytes), length = 0;
    char *copy = NULL;
    for (unsigned turn = 0; turn < 40; turn++) {
        struct packet *p = dissected(&b, bytes, n + 40 * turn, turn % 3 ? 1 : 228, true);
        b.out.at = b.out.start;
        json_write(b.json, &b.out, p);
        copy = realloc(copy, length + buffer_used(&b.out));
        memcpy(copy + length, b.out.start, buffer_used(&b.out));
        length += buffer_used(&b.out);
        json_write(b.json, &small, p);
    }
    buffer_flush(&small);
    FILE *file = fopen(path, "rb");
    char *read = malloc(length + 1);
    cr_assert_eq(fread(read, 1, length + 1, file), length);
    cr_assert(!memcmp(read, copy, length));
    fclose(file);
    remove(path);
    free(read);
    free(copy);
    buffer_free(&small);
    close_bench(&b);
}
