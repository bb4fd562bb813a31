/* What was received how, in front of a frame of a wireless LAN: radiotap (LINKTYPE_IEEE802_11_RADIOTAP, radiotap.org),
 * and its elders of the Prism chip (LINKTYPE_IEEE802_11_PRISM) and of AVS (LINKTYPE_IEEE802_11_AVS). All tell their
 * length. */
#include "base/text.h"
#include "protocol/protocol.h"

enum {
    LEAST = 8,       /* version, padding, length, what is present */
    ELDER = 8,       /* a number to know it by, and the length */
    PRESENT = 4,     /* where the words begin that say what is there */
    TIME = 1,        /* the bits of the first one: 8 bytes, at a multiple of 8 */
    FLAGS = 2,       /* one byte behind them */
    EXTENDED = 0x80, /* of a word's last byte: one more follows */
    WITH_FCS = 0x10, /* of that byte */
    PADDED = 0x20,
    FCS = 4,
    LINK_WLAN = 105,
};

static bool flags_of(const struct place *place, struct value *value);
static bool elder_length(const struct place *place, struct value *value);

static const struct field fields[] = {
    { "radiotap.version", N_("Version"), FIELD_UINT, BYTE(0, 1) },
    { "radiotap.pad", N_("Padding"), FIELD_UINT, BYTE(1, 1) },
    { "radiotap.length", N_("Length"), FIELD_UINT_LE, BYTE(2, 2), .preset = LEAST },
    { "radiotap.present.word", N_("What is present"), FIELD_UINT_LE, BYTE(4, 4), .base = BASE_HEX },
    { "radiotap.fields", N_("Fields"), FIELD_BYTES, TO_END(LEAST) },
    { "radiotap.flags", N_("Flags"), FIELD_UINT, .base = BASE_HEX, .read = flags_of },
    { 0 },
};
static const struct field prism_fields[] = {
    { "prism.msgcode", N_("Message Code"), FIELD_UINT_LE, BYTE(0, 4), .preset = 0x44 },
    { "prism.msglen", N_("Length"), FIELD_UINT, BYTE(4, 4), .read = elder_length },
    { "prism.fields", N_("Fields"), FIELD_BYTES, TO_END(ELDER) },
    { 0 },
};
static const struct field wlancap_fields[] = {
    { "wlancap.magic", N_("Magic"), FIELD_UINT, BYTE(0, 4), .base = BASE_HEX },
    { "wlancap.length", N_("Length"), FIELD_UINT, BYTE(4, 4), .read = elder_length },
    { "wlancap.fields", N_("Fields"), FIELD_BYTES, TO_END(ELDER) },
    { 0 },
};

/* Where the byte of flags stands; 0 if there is none. */
static size_t flags_at(struct span h)
{
    size_t at = PRESENT;
    if (h.left < LEAST || !(h.at[PRESENT] & FLAGS))
        return 0;
    do {
        at += 4;
        if (at > h.left)
            return 0;
    } while (h.at[at - 1] & EXTENDED);
    if (h.at[PRESENT] & TIME)
        at = (at + 7) / 8 * 8 + 8;
    return at < h.left ? at : 0;
}

static bool flags_of(const struct place *place, struct value *value)
{
    size_t at = flags_at(place->bytes);
    if (!at)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, at, 1), .bit = (uint32_t)at * 8, .width = 8 };
    value->u = place->bytes.at[at];
    return true;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    struct span all = *in;
    const uint8_t *h = span_peek(in, LEAST);
    size_t length = h ? load_le16(h + 2) : LEAST;
    if (h && length < LEAST) {
        self->length = PRESENT;
        return VERDICT_BROKEN;
    }
    if (!span_pull(in, length)) {
        self->length = (uint32_t)all.left;
        return VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    size_t at = flags_at(span_part(all, 0, length));
    if (at && all.at[at] & WITH_FCS && self->end - self->offset >= length + FCS)
        self->end -= FCS;
    if (at && all.at[at] & PADDED)
        self->flags |= LAYER_TOLD_1;
    *next = (struct key){ KEY_LINK, LINK_WLAN, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < LEAST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad length" : "cut short");
        return;
    }
    buffer_decimal(out, h.left);
    buffer_text(out, " bytes");
}

/* AVS counts in network order; Prism in that of the machine, which its message code tells. */
static uint32_t elder_length_of(const uint8_t *h)
{
    return h[0] && h[0] != 0x80 ? load_le32(h + 4) : load_be32(h + 4);
}

static bool elder_length(const struct place *place, struct value *value)
{
    if (place->bytes.left < ELDER)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, 4, 4), .bit = 32, .width = 32 };
    value->u = elder_length_of(place->bytes.at);
    return true;
}

static enum verdict dissect_elder(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    const uint8_t *h = span_peek(in, ELDER);
    uint32_t length = h ? elder_length_of(h) : ELDER;
    if (h && length < ELDER) {
        self->length = ELDER;
        return VERDICT_BROKEN;
    }
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->end - self->offset < length ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = length;
    *next = (struct key){ KEY_LINK, LINK_WLAN, 0 };
    return VERDICT_WHOLE;
}

static const struct key keys[] = {
    { KEY_LINK, 127, 0 },
    { 0 },
};
static const struct key prism_keys[] = {
    { KEY_LINK, 119, 0 },
    { 0 },
};
static const struct key wlancap_keys[] = {
    { KEY_LINK, 163, 0 },
    { 0 },
};

const struct protocol radiotap_protocol = {
    .name = "radiotap",
    .label = "Radiotap",
    .title = N_("Radiotap header"),
    .rfc = "radiotap.org",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol prism_protocol = {
    .name = "prism",
    .label = "Prism",
    .title = N_("Prism capture header"),
    .rfc = "LINKTYPE_IEEE802_11_PRISM",
    .fields = prism_fields,
    .keys = prism_keys,
    .least = ELDER,
    .dissect = dissect_elder,
    .summary = summary,
};

const struct protocol wlancap_protocol = {
    .name = "wlancap",
    .label = "AVS",
    .title = N_("AVS capture header"),
    .rfc = "LINKTYPE_IEEE802_11_AVS",
    .fields = wlancap_fields,
    .keys = wlancap_keys,
    .least = ELDER,
    .dissect = dissect_elder,
    .summary = summary,
};
