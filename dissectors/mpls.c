/* Multiprotocol Label Switching (RFC 3032): a stack of labels, which does not say what is below it. Routers look at the
 * first four bits there: an IP version, or 0 for the control word of a pseudowire (RFC 4385, RFC 4448). */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    ENTRY = 4,
    BOTTOM = 0x100,
    CONTROL_WORD = 4,
    LINK_ETHERNET = 1,
    TYPES = 12,
    TYPE_MIN = 1536,
    ASSOCIATED = 13,
    ALERT = 14
};

static size_t entry_length(struct span run);

static const struct value_name labels[] = {
    { 0, "IPv4 Explicit Null" },
    { 1, "Router Alert" },
    { 2, "IPv6 Explicit Null" },
    { 3, "Implicit Null" },
    { 7, "Entropy Label Indicator" },
    { 13, "Generic Associated Channel" },
    { 14, "OAM Alert" },
    { 0, NULL },
};
static const struct field entry_fields[] = {
    { "mpls.label", N_("Label"), FIELD_UINT, BITS(0, 20), .names = labels },
    { "mpls.exp", N_("Traffic Class"), FIELD_UINT, BITS(20, 3) },
    { "mpls.bottom", N_("Bottom of Stack"), FIELD_UINT, BITS(23, 1), .preset = 1 },
    { "mpls.ttl", N_("Time to Live"), FIELD_UINT, BYTE(3, 1), .preset = 64 },
    { 0 },
};
static const struct tlv entries[] = {
    { 0xffff, "Label stack entry", entry_fields },
    { 0 },
};
static const struct tlv_set entry_set = { .kind_size = 1, .measure = entry_length, .kinds = entries };

static const struct field fields[] = {
    { "mpls.stack", N_("Label stack"), FIELD_TLVS, TO_END(0), .tlvs = &entry_set },
    { 0 },
};
static const struct field word_fields[] = {
    { "pweth.cw.sequence_number", N_("Sequence Number"), FIELD_UINT, BYTE(2, 2) },
    { 0 },
};

static size_t entry_length(struct span run)
{
    return run.left < ENTRY ? 0 : ENTRY;
}

/* Whether an Ethernet frame may begin behind a control word: its type or length must be one. */
static bool carries_frame(const struct span *in)
{
    const uint8_t *h = span_peek(in, CONTROL_WORD + TYPES + 2);
    uint16_t type = h ? load_be16(h + CONTROL_WORD + TYPES) : 0;
    return h && (type >= TYPE_MIN || (type && type <= in->left));
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *entry;
    do {
        entry = span_pull(in, ENTRY);
        if (!entry) {
            self->length += (uint32_t)in->left;
            span_pull(in, in->left);
            return self->offset + self->length >= self->end ? VERDICT_BROKEN : VERDICT_CUT;
        }
        self->length += ENTRY;
    } while (!(load_be32(entry) & BOTTOM));
    unsigned version = in->left ? in->at[0] >> 4 : 15, label = load_be32(entry) >> 12;
    if (label == ASSOCIATED || label == ALERT) /* management of the path, no packet: RFC 5586, 4; RFC 3429 */
        return VERDICT_WHOLE;
    if (version == 4)
        *next = (struct key){ KEY_ETHERTYPE, 0x0800, 0 };
    else if (version == 6)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    else if (version == 0 && carries_frame(in))
        *next = (struct key){ KEY_PSEUDOWIRE, 0, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    enum { SHOWN = 8 };
    struct span h = layer_header(packet, layer);
    const char *between = "label ";
    if (h.left < ENTRY)
        buffer_text(out, "cut short");
    for (size_t at = 0; at + ENTRY <= h.left; at += ENTRY) {
        buffer_text(out, between);
        if (at == SHOWN * ENTRY) {
            buffer_text(out, "...");
            break;
        }
        uint32_t entry = load_be32(h.at + at);
        buffer_decimal(out, entry >> 12);
        buffer_text(out, " ttl ");
        buffer_decimal(out, entry & 0xff);
        between = ", ";
    }
}

static enum verdict dissect_word(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    if (!header_take(self, in, CONTROL_WORD))
        return VERDICT_CUT;
    *next = (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return VERDICT_WHOLE;
}

static void summary_word(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, CONTROL_WORD, out);
    if (!h)
        return;
    buffer_text(out, "seq ");
    buffer_decimal(out, load_be16(h + 2));
}

static const struct key keys[] = {
    { KEY_ETHERTYPE, 0x8847, 0 },
    { KEY_ETHERTYPE, 0x8848, 0 }, /* multicast; upstream-assigned labels: RFC 5332 */
    { KEY_PPP, 0x0281, 0 },
    { KEY_PPP, 0x0283, 0 },
    { KEY_UDP_PORT, 6635, 0 }, /* RFC 7510 */
    { KEY_IP, 137, 0 },        /* RFC 4023 */
    { 0 },
};
static const struct key word_keys[] = {
    { KEY_PSEUDOWIRE, 0, 0 },
    { 0 },
};

const struct protocol mpls_protocol = {
    .name = "mpls",
    .label = "MPLS",
    .title = N_("Multiprotocol Label Switching"),
    .rfc = "RFC 3032",
    .fields = fields,
    .keys = keys,
    .least = ENTRY,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol pwethcw_protocol = {
    .name = "pwethcw",
    .label = "PW",
    .title = N_("Pseudowire Control Word"),
    .rfc = "RFC 4448, 4.6",
    .fields = word_fields,
    .keys = word_keys,
    .least = CONTROL_WORD,
    .dissect = dissect_word,
    .summary = summary_word,
};
