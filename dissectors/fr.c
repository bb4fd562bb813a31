/* Frame Relay: an address of two to four bytes (ITU-T Q.922, 3.3), unnumbered information, and what it is by a network
 * layer protocol identifier (RFC 2427, 3). Cisco's routers write a type as in their HDLC instead, some Ethernet. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    ADDRESS_LEAST = 2,
    ADDRESS_MOST = 4,
    LAST = 1,       /* the bit that ends the address */
    UNNUMBERED = 3, /* the lowest bits of a control byte that numbers nothing */
    TYPE = 2,       /* Cisco's */
    ETHERNET = 14,
    LENGTH_MAX = 1500,
    SNAP = 5, /* organization and protocol */
    NLPID_SNAP = 0x80,
    NLPID_IPV4 = 0xcc,
    NLPID_IPV6 = 0x8e,
    NLPID_PPP = 0xcf,
    NLPID_CLNP = 0x81,
    NLPID_ISIS = 0x83,
    LINK_ETHERNET = 1,
    LINK_PPP = 9,
};

static bool circuit(const struct place *place, struct value *value);
static bool control(const struct place *place, struct value *value);
static bool identifier(const struct place *place, struct value *value);

static const struct value_name identifiers[] = {
    { 0x08, "Q.933" },      { NLPID_SNAP, "SNAP" }, { NLPID_CLNP, "CLNP" }, { 0x82, "ES-IS" }, { NLPID_ISIS, "IS-IS" },
    { NLPID_IPV6, "IPv6" }, { NLPID_IPV4, "IPv4" }, { NLPID_PPP, "PPP" },   { 0, NULL },
};

static const struct field fields[] = {
    { "fr.dlci", N_("Data Link Connection Identifier"), FIELD_UINT, .read = circuit },
    { "fr.first_addr_octet", N_("First address octet"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX,
      .flags = FIELD_HIDDEN },
    { "fr.second_addr_octet", N_("Second address octet"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .preset = LAST,
      .flags = FIELD_HIDDEN },
    { "fr.upper_dlci", N_("Upper DLCI"), FIELD_UINT, BITS(0, 6), .base = BASE_HEX },
    { "fr.cr", N_("Command or response"), FIELD_BOOL, BITS(6, 1) },
    { "fr.second_dlci", N_("Second DLCI"), FIELD_UINT, BITS(8, 4), .base = BASE_HEX },
    { "fr.fecn", N_("Forward congestion"), FIELD_BOOL, BITS(12, 1) },
    { "fr.becn", N_("Backward congestion"), FIELD_BOOL, BITS(13, 1) },
    { "fr.de", N_("Discard eligible"), FIELD_BOOL, BITS(14, 1) },
    { "fr.rest", N_("Further address, control, protocol"), FIELD_BYTES, TO_END(ADDRESS_LEAST), .flags = FIELD_HIDDEN },
    { "fr.control", N_("Control"), FIELD_UINT, .base = BASE_HEX, .read = control },
    { "fr.nlpid", N_("Protocol"), FIELD_UINT, .base = BASE_HEX, .read = identifier, .names = identifiers },
    { 0 },
};

/* How long the address is; 0 if it does not end, or at once. */
static size_t address_length(struct span h)
{
    if (h.left && h.at[0] & LAST)
        return 0;
    for (size_t i = ADDRESS_LEAST; i <= ADDRESS_MOST && i <= h.left; i++)
        if (h.at[i - 1] & LAST)
            return i;
    return 0;
}

/* Six bits and four; of longer addresses seven and, in the last byte, six more: Q.922, 3.3. */
static uint32_t circuit_of(const uint8_t *h, size_t length)
{
    uint32_t number = (uint32_t)(h[0] >> 2) << 4 | h[1] >> 4;
    if (length == ADDRESS_MOST)
        number = number << 7 | h[2] >> 1;
    return length > ADDRESS_LEAST ? number << 6 | h[length - 1] >> 2 : number;
}

static bool circuit(const struct place *place, struct value *value)
{
    size_t length = address_length(place->bytes);
    if (!length)
        return false;
    value->u = circuit_of(place->bytes.at, length);
    return true;
}

/* Where the identifier stands behind `address` bytes; a byte of padding may come before it. */
static size_t identifier_at(struct span h, size_t address)
{
    size_t at = address + 1;
    return at < h.left && !h.at[at] ? at + 1 : at;
}

static bool take_byte(const struct place *place, size_t at, struct value *value)
{
    if (at >= place->bytes.left)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, at, 1), .bit = (uint32_t)at * 8, .width = 8 };
    value->u = place->bytes.at[at];
    return true;
}

static bool control(const struct place *place, struct value *value)
{
    size_t address = address_length(place->bytes);
    return address && take_byte(place, address, value);
}

static bool is_unnumbered(struct span h, size_t address)
{
    return address < h.left && (h.at[address] & UNNUMBERED) == UNNUMBERED && identifier_at(h, address) < h.left;
}

static bool identifier(const struct place *place, struct value *value)
{
    struct span h = place->bytes;
    size_t address = address_length(h);
    return address && is_unnumbered(h, address) && take_byte(place, identifier_at(h, address), value);
}

/* RFC 2427, 5: organization 0 goes on with an ethertype, 00-80-c2 with a bridged frame. */
static struct key snap_key(const uint8_t *snap)
{
    uint32_t organization = load_be32(snap) >> 8;
    uint16_t number = load_be16(snap + 3);
    if (!organization)
        return (struct key){ KEY_ETHERTYPE, number, 0 };
    if (organization == 0x0080c2 && (number == 1 || number == 7))
        return (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return (struct key){ 0 };
}

static struct key next_key(uint8_t number, const uint8_t *snap)
{
    switch (number) {
    case NLPID_IPV4:
        return (struct key){ KEY_ETHERTYPE, 0x0800, 0 };
    case NLPID_IPV6:
        return (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    case NLPID_PPP:
        return (struct key){ KEY_LINK, LINK_PPP, 0 };
    case NLPID_SNAP:
        return snap_key(snap);
    }
    return (struct key){ 0 };
}

/* Without an identifier: behind a type of Cisco's, or an Ethernet frame, which its type or length tells. */
static struct key bare_key(struct span rest, size_t *head)
{
    uint16_t type = rest.left >= TYPE ? load_be16(rest.at) : 0;
    *head = TYPE;
    if (header_is_serial_type(type))
        return (struct key){ KEY_ETHERTYPE, type, 0 };
    *head = 0;
    /* A numbered frame's control is of two bytes (Q.922); behind it OSI's own protocols tell their names. */
    bool numbered = rest.left > TYPE && !(rest.at[0] & 1) && rest.at[TYPE] >= NLPID_CLNP && rest.at[TYPE] <= NLPID_ISIS;
    bool other = numbered || type == 0x2000 || type == 0x8035 || type == 0xfefe || type == 0x0806 || type == 0x8100;
    if (other || rest.left < ETHERNET)
        return (struct key){ 0 };
    uint16_t inner = load_be16(rest.at + ETHERNET - 2);
    if (inner > LENGTH_MAX && inner != 0x0800 && inner != 0x0806 && inner != 0x86dd && inner != 0x8100)
        return (struct key){ 0 };
    return (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    struct span all = *in;
    size_t address = address_length(all), length = address, head = 0;
    if (!address) {
        bool cut = all.left < ADDRESS_MOST && !(all.left && all.at[0] & LAST);
        self->length = (uint32_t)(all.left < ADDRESS_LEAST ? all.left : ADDRESS_LEAST);
        return cut ? VERDICT_CUT : VERDICT_BROKEN;
    }
    if (is_unnumbered(all, address)) {
        size_t number = identifier_at(all, address);
        length = number + 1 + (all.at[number] == NLPID_SNAP ? SNAP : 0);
        if (length <= all.left)
            *next = next_key(all.at[number], all.at + number + 1);
    } else if (circuit_of(all.at, address)) {
        *next = bare_key(span_part(all, address, all.left), &head);
        length += head;
    }
    if (!span_pull(in, length)) {
        self->length = (uint32_t)all.left;
        return VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    size_t length = address_length(h);
    if (!length) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad address" : "cut short");
        return;
    }
    buffer_text(out, "DLCI ");
    buffer_decimal(out, circuit_of(h.at, length));
}

static const struct key keys[] = {
    { KEY_LINK, 107, 0 },
    { 0 },
};

const struct protocol fr_protocol = {
    .name = "fr",
    .label = "FR",
    .title = N_("Frame Relay"),
    .rfc = "RFC 2427",
    .fields = fields,
    .keys = keys,
    .least = ADDRESS_LEAST,
    .dissect = dissect,
    .summary = summary,
};
