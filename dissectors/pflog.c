/* What the BSDs' packet filter logs (LINKTYPE_PFLOG, www.tcpdump.org/linktypes): a header that begins with its length,
 * which leaves out the padding behind it, and says which rule did what. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { LEAST = 44, ALIGNMENT = 4, AF_IPV4 = 2 };

static const struct value_name families[] = {
    { AF_IPV4, "IPv4" }, { 24, "IPv6, OpenBSD" }, { 28, "IPv6, FreeBSD" }, { 30, "IPv6, Darwin" }, { 0, NULL },
};
static const struct value_name actions[] = {
    { 0, "passed" },     { 1, "dropped" },        { 2, "scrubbed" }, { 3, "not scrubbed" },
    { 4, "translated" }, { 5, "not translated" }, { 6, "binat" },    { 7, "no binat" },
    { 8, "redirected" }, { 9, "not redirected" }, { 0, NULL },
};

static const struct field fields[] = {
    { "pflog.length", N_("Header Length"), FIELD_UINT, BYTE(0, 1), .role = ROLE_LENGTH, .counts = COUNTS_HEADER },
    { "pflog.af", N_("Address Family"), FIELD_UINT, BYTE(1, 1), .preset = AF_IPV4, .names = families },
    { "pflog.action", N_("Action"), FIELD_UINT, BYTE(2, 1), .names = actions },
    { "pflog.reason", N_("Reason"), FIELD_UINT, BYTE(3, 1) },
    { "pflog.ifname", N_("Interface"), FIELD_TEXT, BYTE(4, 16), .flags = FIELD_ASCII },
    { "pflog.ruleset", N_("Ruleset"), FIELD_TEXT, BYTE(20, 16), .flags = FIELD_ASCII },
    { "pflog.rulenr", N_("Rule Number"), FIELD_UINT, BYTE(36, 4) },
    { "pflog.subrulenr", N_("Sub Rule Number"), FIELD_UINT, BYTE(40, 4) },
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    size_t length = captured ? ((size_t)in->at[0] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : LEAST;
    if (length < LEAST) {
        self->length = 1;
        return VERDICT_BROKEN;
    }
    const uint8_t *h = span_pull(in, length);
    if (!h) {
        self->length = (uint32_t)captured;
        return VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    if (h[1] == AF_IPV4)
        *next = header_ip_key(in);
    else if (h[1] == 24 || h[1] == 28 || h[1] == 30)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < LEAST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad length" : "cut short");
        return;
    }
    const char *action = field_value_name(&fields[2], h.at[2]);
    buffer_text(out, action ? action : "action unknown");
    buffer_text(out, " by rule ");
    buffer_decimal(out, load_be32(h.at + 36));
}

static const struct key keys[] = {
    { KEY_LINK, 117, 0 },
    { 0 },
};

const struct protocol pflog_protocol = {
    .name = "pflog",
    .label = "PFLOG",
    .title = N_("OpenBSD packet filter's log"),
    .rfc = "LINKTYPE_PFLOG",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};
