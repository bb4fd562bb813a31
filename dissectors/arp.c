/* Address Resolution Protocol (RFC 826), with the opcodes of RARP (RFC 903) and InARP (RFC 2390). The lengths of both
 * kinds of addresses stand in the header. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"

enum { HEADER = 8, REQUEST = 1, REPLY = 2, ATM = 19, ATM_HEADER = 12 };

static bool is_gratuitous(const struct place *place, struct value *value);

/* IEEE 802 networks (6) write Ethernet's addresses (1). */
static const struct when six_bytes[] = {
    { BITS(32, 8), 6, 6 },
    { 0 },
};
static const struct when is_mac[] = {
    { BITS(0, 16), 1, 1, six_bytes },
    { BITS(0, 16), 6, 6, six_bytes },
    { 0 },
};
static const struct when not_atm[] = {
    { BITS(0, 16), 0, ATM - 1 },
    { BITS(0, 16), ATM + 1, 0xffff },
    { 0 },
};
static const struct when no_mac[] = {
    { BITS(32, 8), 0, 5, not_atm },
    { BITS(32, 8), 7, 255, not_atm },
    { BITS(0, 16), 0, 0 },
    { BITS(0, 16), 2, 5 },
    { BITS(0, 16), 7, ATM - 1 },
    { BITS(0, 16), ATM + 1, 0xffff },
    { 0 },
};
static const struct when four_bytes[] = {
    { BITS(40, 8), 4, 4, not_atm },
    { 0 },
};
static const struct when is_ipv4[] = {
    { BITS(16, 16), 0x0800, 0x0800, four_bytes },
    { BITS(16, 16), 0x00cc, 0x00cc, four_bytes }, /* AX.25's number for IP */
    { 0 },
};
static const struct when no_ipv4[] = {
    { BITS(40, 8), 0, 3, not_atm },
    { BITS(40, 8), 5, 255, not_atm },
    { BITS(16, 16), 0, 0x00cb, not_atm },
    { BITS(16, 16), 0x00cd, 0x07ff, not_atm },
    { BITS(16, 16), 0x0801, 0xffff, not_atm },
    { 0 },
};

static const struct value_name hardware_types[] = {
    { 1, "Ethernet" },
    { 2, "Experimental Ethernet" },
    { 3, "AX.25" },
    { 6, "IEEE 802" },
    { 7, "ARCNET" },
    { 15, "Frame Relay" },
    { 16, "ATM" },
    { 18, "Fibre Channel" },
    { ATM, "ATM (RFC 2225)" },
    { 20, "Serial line" },
    { 24, "FireWire" },
    { 32, "InfiniBand" },
    { 0, NULL },
};
static const struct value_name opcodes[] = {
    { REQUEST, "request" },
    { REPLY, "reply" },
    { 3, "reverse request" },
    { 4, "reverse reply" },
    { 5, "DRARP request" },
    { 6, "DRARP reply" },
    { 7, "DRARP error" },
    { 8, "InARP request" },
    { 9, "InARP reply" },
    { 10, "ARP NAK" },
    { 0, NULL },
};

/* Of the two rows for an address one is absent and has no width, so that the next address begins after either. */
enum {
    HARDWARE_SIZE = 3,
    PROTOCOL_SIZE,
    OPCODE,
    GRATUITOUS,
    SENDER,
    SENDER_MAC,
    SENDER_PROTOCOL,
    SENDER_IPV4,
    TARGET,
    TARGET_MAC,
    TARGET_PROTOCOL
};

static const struct field fields[] = {
    { "arp.hw.type", N_("Hardware type"), FIELD_UINT, BYTE(0, 2), .preset = 1, .names = hardware_types },
    { "arp.proto.type", N_("Protocol type"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .preset = 0x0800 },
    { "arp.hw.size", N_("Hardware size"), FIELD_UINT, BYTE(4, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES,
      .preset = 6 },
    { "arp.proto.size", N_("Protocol size"), FIELD_UINT, BYTE(5, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES,
      .preset = 4 },
    { "arp.opcode", N_("Opcode"), FIELD_UINT, BYTE(6, 2), .preset = REQUEST, .names = opcodes },
    { "arp.isgratuitous", N_("Gratuitous"), FIELD_BOOL, .read = is_gratuitous },
    { "arp.src.hw", N_("Sender hardware address"), FIELD_BYTES, BYTE(8, 0), .sized = HARDWARE_SIZE, .when = no_mac },
    { "arp.src.hw_mac", N_("Sender MAC address"), FIELD_MAC, BYTE(0, 6), .after = SENDER, .when = is_mac,
      .role = ROLE_SOURCE },
    { "arp.src.proto", N_("Sender protocol address"), FIELD_BYTES, .after = SENDER_MAC, .sized = PROTOCOL_SIZE,
      .when = no_ipv4 },
    { "arp.src.proto_ipv4", N_("Sender IP address"), FIELD_IPV4, BYTE(0, 4), .after = SENDER_PROTOCOL, .when = is_ipv4,
      .role = ROLE_SOURCE },
    { "arp.dst.hw", N_("Target hardware address"), FIELD_BYTES, .after = SENDER_IPV4, .sized = HARDWARE_SIZE,
      .when = no_mac },
    { "arp.dst.hw_mac", N_("Target MAC address"), FIELD_MAC, BYTE(0, 6), .after = TARGET, .when = is_mac },
    { "arp.dst.proto", N_("Target protocol address"), FIELD_BYTES, .after = TARGET_MAC, .sized = PROTOCOL_SIZE,
      .when = no_ipv4 },
    { "arp.dst.proto_ipv4", N_("Target IP address"), FIELD_IPV4, BYTE(0, 4), .after = TARGET_PROTOCOL, .when = is_ipv4,
      .role = ROLE_DESTINATION },
    { 0 },
};

/* The IPv4 addresses of a header that has them and is whole. */
static bool addresses(struct span h, uint32_t *sender, uint32_t *target)
{
    if (h.left < HEADER || load_be16(h.at + 2) != 0x0800 || h.at[5] != 4)
        return false;
    size_t hardware = h.at[4];
    if (h.left < HEADER + 2 * hardware + 8)
        return false;
    *sender = load_be32(h.at + HEADER + hardware);
    *target = load_be32(h.at + HEADER + 2 * hardware + 4);
    return true;
}

/* RFC 5227, 3: a host tells its own address to everyone. */
static bool is_gratuitous(const struct place *place, struct value *value)
{
    uint32_t sender, target;
    value->u = addresses(place->bytes, &sender, &target) && sender == target;
    return value->u;
}

/* Opcodes that say something only with all of their addresses. */
static bool asks_or_tells(uint16_t opcode)
{
    return (opcode >= REQUEST && opcode <= 6) || opcode == 8;
}

/* RFC 2225, 8.3: addresses and subaddresses, each of its own length. */
static enum verdict dissect_atm(struct layer *self, struct span *in)
{
    const uint8_t *h = span_peek(in, ATM_HEADER);
    size_t length = ATM_HEADER;
    if (h)
        length += (h[4] & 63u) + (h[5] & 63u) + h[8] + (h[9] & 63u) + (h[10] & 63u) + h[11];
    if (!span_pull(in, length)) {
        self->length = 0;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    self->end = self->offset + self->length;
    return VERDICT_WHOLE;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)next;
    const uint8_t *h = span_peek(in, HEADER);
    size_t length = h ? HEADER + 2u * h[4] + 2u * h[5] : HEADER;
    if (h && load_be16(h) == ATM)
        return dissect_atm(self, in);
    if (self->offset + length > self->end) {
        /* Without its last address none can be believed to stand where the lengths say. */
        self->length = h ? HEADER : 0;
        return VERDICT_BROKEN;
    }
    if (in->left < length) {
        self->length = !h ? 0 : asks_or_tells(load_be16(h + 6)) ? HEADER : (uint32_t)in->left;
        return VERDICT_CUT;
    }
    if (load_be16(h + 2) == 0x0800 && h[5] == 4 && packet->network_count < NETWORKS_MAX) {
        /* Who asks or tells whom, as the protocol addresses have it. */
        const uint8_t *sender = h + HEADER + h[4], *target = sender + 4 + h[4];
        packet->networks[packet->network_count++] = (struct network){ sender, target, target, 4, 0 };
        self->network = packet->network_count;
    }
    span_pull(in, length);
    self->length = (uint32_t)length;
    self->end = self->offset + self->length; /* the rest pads the frame */
    return VERDICT_WHOLE;
}

static void write_address(struct buffer *out, uint32_t address)
{
    char *at = buffer_room(out, ADDRESS_TEXT);
    out->at = write_ipv4(at, address);
}

static void write_is_at(struct span h, uint32_t sender, struct buffer *out)
{
    write_address(out, sender);
    buffer_text(out, " is at ");
    buffer_bytes(out, h.at + HEADER, h.at[4], ':');
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    uint32_t sender, target;
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    uint16_t opcode = load_be16(h.at + 6);
    if (!addresses(h, &sender, &target) || (opcode != REQUEST && opcode != REPLY)) {
        const char *name = NULL;
        for (const struct value_name *n = opcodes; n->name; n++)
            if (n->value == opcode)
                name = n->name;
        buffer_text(out, name ? name : "opcode ");
        if (!name)
            buffer_decimal(out, opcode);
    } else if (sender == target) {
        buffer_text(out, "Gratuitous: ");
        write_is_at(h, sender, out);
    } else if (opcode == REQUEST) {
        buffer_text(out, "Who has ");
        write_address(out, target);
        buffer_text(out, sender ? "? Tell " : "? (probe)");
        if (sender)
            write_address(out, sender);
    } else {
        write_is_at(h, sender, out);
    }
}

static const struct key keys[] = {
    { KEY_ETHERTYPE, 0x0806, 0 },
    { KEY_ETHERTYPE, 0x8035, 0 }, /* RARP */
    { 0 },
};

const struct protocol arp_protocol = {
    .name = "arp",
    .label = "ARP",
    .title = N_("Address Resolution Protocol"),
    .rfc = "RFC 826",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};
