/* Dynamic Host Configuration Protocol (RFC 2131), and BOOTP (RFC 951), whose message it fills with options (RFC 2132).
 */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    LEAST = 236, /* BOOTP without its vendor area */
    HEADER = 240,
    COOKIE = 0x63825363, /* RFC 2131, 3 */
    HARDWARE = 28,
    HARDWARE_MOST = 16,
    SERVER = 44,
    SERVER_SIZE = 64,
    FILE_NAME = 108,
    FILE_SIZE = 128,
    REQUEST = 1,
    OPTION_TYPE = 53,
    OPTION_OVERLOAD = 52,
    FILE_HOLDS = 1, /* options: RFC 2132, 9.3 */
    SERVER_HOLDS = 2,
};

static bool hardware_mac(const struct place *place, struct value *value);
static bool hardware_other(const struct place *place, struct value *value);
static bool server_name(const struct place *place, struct value *value);
static bool file_name(const struct place *place, struct value *value);
static bool option_text(const struct place *place, struct value *value);
static bool file_options(const struct place *place, struct value *value);
static bool server_options(const struct place *place, struct value *value);

static const struct when has_options[] = {
    { BITS(LEAST * 8, 32), COOKIE, COOKIE },
    { 0 },
};

static const struct value_name operations[] = {
    { REQUEST, "Boot request" },
    { 2, "Boot reply" },
    { 0, NULL },
};
static const struct value_name message_types[] = {
    { 1, "Discover" },      { 2, "Offer" },        { 3, "Request" },           { 4, "Decline" },
    { 5, "ACK" },           { 6, "NAK" },          { 7, "Release" },           { 8, "Inform" },
    { 9, "Force renew" },   { 10, "Lease query" }, { 11, "Lease unassigned" }, { 12, "Lease unknown" },
    { 13, "Lease active" }, { 0, NULL },
};

static const struct field option_common[] = {
    { "dhcp.option.type", N_("Option"), FIELD_UINT, BYTE(0, 1) },
    { "dhcp.option.length", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};

/* An option that is a list of addresses, a number, or a text. */
#define ADDRESSES(name, abbrev, title)                                                                                 \
    static const struct field name[] = {                                                                               \
        { abbrev, N_(title), FIELD_IPV4, BYTE(2, 4), .stride = 4 },                                                    \
        { 0 },                                                                                                         \
    }
#define NUMBER(name, abbrev, title, size)                                                                              \
    static const struct field name[] = {                                                                               \
        { abbrev, N_(title), FIELD_UINT, BYTE(2, size) },                                                              \
        { 0 },                                                                                                         \
    }
#define TEXT(name, abbrev, title)                                                                                      \
    static const struct field name[] = {                                                                               \
        { abbrev, N_(title), FIELD_TEXT, TO_END(2), .read = option_text, .flags = FIELD_ASCII },                       \
        { 0 },                                                                                                         \
    }

ADDRESSES(option_mask, "dhcp.option.subnet_mask", "Subnet Mask");
ADDRESSES(option_router, "dhcp.option.router", "Router");
ADDRESSES(option_dns, "dhcp.option.domain_name_server", "Domain Name Server");
TEXT(option_hostname, "dhcp.option.hostname", "Host Name");
TEXT(option_domain, "dhcp.option.domain_name", "Domain Name");
NUMBER(option_mtu, "dhcp.option.interface_mtu", "Interface MTU", 2);
ADDRESSES(option_broadcast, "dhcp.option.broadcast_address", "Broadcast Address");
ADDRESSES(option_ntp, "dhcp.option.ntp_server", "NTP Server");
ADDRESSES(option_netbios, "dhcp.option.netbios_over_tcpip_name_server", "NetBIOS Name Server");
ADDRESSES(option_requested, "dhcp.option.requested_ip_address", "Requested IP Address");
NUMBER(option_lease, "dhcp.option.ip_address_lease_time", "IP Address Lease Time", 4);
NUMBER(option_overload, "dhcp.option.option_overload", "Option Overload", 1);
ADDRESSES(option_server, "dhcp.option.dhcp_server_id", "DHCP Server Identifier");
TEXT(option_message, "dhcp.option.message", "Message");
NUMBER(option_size, "dhcp.option.dhcp_max_message_size", "Maximum DHCP Message Size", 2);
NUMBER(option_renewal, "dhcp.option.renewal_time_value", "Renewal Time", 4);
NUMBER(option_rebinding, "dhcp.option.rebinding_time_value", "Rebinding Time", 4);
TEXT(option_class, "dhcp.option.vendor_class_id", "Vendor class identifier");
TEXT(option_tftp, "dhcp.option.tftp_server_name", "TFTP Server Name");
TEXT(option_bootfile, "dhcp.option.bootfile_name", "Bootfile name");

static const struct field option_type[] = {
    { "dhcp.option.dhcp", N_("DHCP"), FIELD_UINT, BYTE(2, 1), .names = message_types },
    { 0 },
};
static const struct field option_list[] = {
    { "dhcp.option.request_list_item", N_("Parameter wanted"), FIELD_UINT, BYTE(2, 1), .stride = 1 },
    { 0 },
};
static const struct when is_ethernet_type[] = {
    { BITS(16, 8), 1, 1 },
    { 0 },
};
static const struct when is_ethernet_id[] = {
    { BITS(8, 8), 7, 7, is_ethernet_type },
    { 0 },
};
static const struct when is_other_id[] = {
    { BITS(8, 8), 0, 6 }, { BITS(8, 8), 8, 255 }, { BITS(16, 8), 0, 0 }, { BITS(16, 8), 2, 255 }, { 0 },
};
static const struct field option_client[] = {
    { "dhcp.hw.type", N_("Type"), FIELD_UINT, BYTE(2, 1) },
    { "dhcp.hw.mac_addr", N_("Client Identifier"), FIELD_MAC, BYTE(3, 6), .when = is_ethernet_id },
    { "dhcp.client_id", N_("Client Identifier"), FIELD_BYTES, TO_END(3), .when = is_other_id },
    { 0 },
};
static const struct field agent_common[] = {
    /* RFC 3046, 2 */
    { "dhcp.option.agent_information_option.suboption", N_("Suboption"), FIELD_UINT, BYTE(0, 1) },
    { "dhcp.option.agent_information_option.length", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field agent_circuit[] = {
    { "dhcp.option.agent_information_option.agent_circuit_id", N_("Circuit ID"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field agent_remote[] = {
    { "dhcp.option.agent_information_option.agent_remote_id", N_("Remote ID"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field agent_other[] = {
    { "dhcp.option.agent_information_option.value", N_("Value"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct tlv agent_kinds[] = {
    { 1, "Agent Circuit ID", agent_circuit },
    { 2, "Agent Remote ID", agent_remote },
    { 0xffff, "Suboption", agent_other },
    { 0 },
};
static const struct tlv_set agent_set = {
    .kind_size = 1, .length_size = 1, .unit = 1, .common = agent_common, .kinds = agent_kinds
};
static const struct field option_agent[] = {
    { "dhcp.option.agent_information_option", N_("Relay Agent Information"), FIELD_TLVS, TO_END(2),
      .tlvs = &agent_set },
    { 0 },
};
static const struct field option_other[] = {
    { "dhcp.option.value", N_("Value"), FIELD_BYTES, TO_END(2) },
    { 0 },
};

static const struct tlv options[] = {
    { 0, "Padding", .alone = true },
    { 1, "Subnet Mask", option_mask },
    { 3, "Router", option_router },
    { 6, "Domain Name Server", option_dns },
    { 12, "Host Name", option_hostname },
    { 15, "Domain Name", option_domain },
    { 26, "Interface MTU", option_mtu },
    { 28, "Broadcast Address", option_broadcast },
    { 42, "NTP Servers", option_ntp },
    { 44, "NetBIOS Name Server", option_netbios },
    { 50, "Requested IP Address", option_requested, .exact = 4 },
    { 51, "IP Address Lease Time", option_lease },
    { 52, "Option Overload", option_overload },
    { OPTION_TYPE, "DHCP Message Type", option_type },
    { 54, "DHCP Server Identifier", option_server },
    { 55, "Parameter Request List", option_list },
    { 56, "Message", option_message },
    { 57, "Maximum DHCP Message Size", option_size },
    { 58, "Renewal Time", option_renewal },
    { 59, "Rebinding Time", option_rebinding },
    { 60, "Vendor class identifier", option_class },
    { 61, "Client identifier", option_client },
    { 66, "TFTP Server Name", option_tftp },
    { 67, "Bootfile name", option_bootfile },
    { 82, "Relay Agent Information", option_agent },
    { 255, "End", .alone = true, .stop = true },
    { 0xffff, "Option", option_other },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 1, .length_size = 1, .unit = 1, .included = 0, .common = option_common, .kinds = options
};

static const struct field fields[] = {
    { "dhcp.type", N_("Message type"), FIELD_UINT, BYTE(0, 1), .preset = 1, .names = operations },
    { "dhcp.hw.type", N_("Hardware type"), FIELD_UINT, BYTE(1, 1), .preset = 1, .base = BASE_HEX },
    { "dhcp.hw.len", N_("Hardware address length"), FIELD_UINT, BYTE(2, 1), .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES, .preset = 6 },
    { "dhcp.hops", N_("Hops"), FIELD_UINT, BYTE(3, 1) },
    { "dhcp.id", N_("Transaction ID"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX },
    { "dhcp.secs", N_("Seconds elapsed"), FIELD_UINT, BYTE(8, 2) },
    { "dhcp.flags", N_("Flags"), FIELD_UINT, BYTE(10, 2), .base = BASE_HEX },
    { "dhcp.flags.bc", N_("Broadcast"), FIELD_BOOL, BITS(80, 1) },
    { "dhcp.ip.client", N_("Client IP address"), FIELD_IPV4, BYTE(12, 4) },
    { "dhcp.ip.your", N_("Your IP address"), FIELD_IPV4, BYTE(16, 4) },
    { "dhcp.ip.server", N_("Next server IP address"), FIELD_IPV4, BYTE(20, 4) },
    { "dhcp.ip.relay", N_("Relay agent IP address"), FIELD_IPV4, BYTE(24, 4) },
    { "dhcp.hw.mac_addr", N_("Client MAC address"), FIELD_MAC, BYTE(HARDWARE, 6), .read = hardware_mac },
    { "dhcp.hw.addr", N_("Client hardware address"), FIELD_BYTES, BYTE(HARDWARE, HARDWARE_MOST),
      .read = hardware_other },
    { "dhcp.server", N_("Server host name"), FIELD_TEXT, BYTE(SERVER, SERVER_SIZE), .read = server_name },
    { "dhcp.file", N_("Boot file name"), FIELD_TEXT, BYTE(FILE_NAME, FILE_SIZE), .read = file_name },
    { "dhcp.cookie", N_("Magic cookie"), FIELD_IPV4, BYTE(LEAST, 4), .when = has_options },
    { "dhcp.options", N_("Options"), FIELD_TLVS, TO_END(HEADER), .tlvs = &option_set, .when = has_options },
    { "dhcp.options", N_("Options where the boot file's name is"), FIELD_TLVS, .read = file_options,
      .tlvs = &option_set },
    { "dhcp.options", N_("Options where the server's name is"), FIELD_TLVS, .read = server_options,
      .tlvs = &option_set },
    { 0 },
};

static bool part(const struct place *place, size_t from, size_t length, struct value *value)
{
    *value = (struct value){ .bytes = span_part(place->bytes, from, length),
                             .bit = (place->start + (uint32_t)from) * 8,
                             .width = (uint32_t)length * 8 };
    return length && value->bytes.left == length;
}

/* Text that ends with a zero or its room. */
static bool read_text(const struct place *place, size_t from, size_t room, struct value *value)
{
    struct span all = span_part(place->bytes, from, room);
    const uint8_t *zero = all.left ? memchr(all.at, 0, all.left) : NULL;
    return part(place, from, zero ? (size_t)(zero - all.at) : all.left, value);
}

static bool is_mac(struct span h)
{
    return h.left >= 3 && h.at[2] == 6 && (h.at[1] == 1 || h.at[1] == 6);
}

static bool hardware_mac(const struct place *place, struct value *value)
{
    return is_mac(place->bytes) && part(place, HARDWARE, 6, value);
}

static bool hardware_other(const struct place *place, struct value *value)
{
    struct span h = place->bytes;
    return h.left >= 3 && !is_mac(h) && h.at[2] <= HARDWARE_MOST && part(place, HARDWARE, h.at[2], value);
}

/* Which of the two names' rooms hold options. */
static unsigned overload(struct span h)
{
    struct option option;
    struct span run = span_part(h, HEADER, h.left);
    if (h.left < HEADER || load_be32(h.at + LEAST) != COOKIE)
        return 0;
    while (tlv_next(&option_set, &run, &option))
        if (option.tlv->kind == OPTION_OVERLOAD && !option.broken && option.bytes.left == 3)
            return option.bytes.at[2];
    return 0;
}

static bool file_options(const struct place *place, struct value *value)
{
    return overload(place->bytes) & FILE_HOLDS && part(place, FILE_NAME, FILE_SIZE, value);
}

static bool server_options(const struct place *place, struct value *value)
{
    return overload(place->bytes) & SERVER_HOLDS && part(place, SERVER, SERVER_SIZE, value);
}

static bool server_name(const struct place *place, struct value *value)
{
    return !(overload(place->bytes) & SERVER_HOLDS) && read_text(place, SERVER, SERVER_SIZE, value);
}

static bool file_name(const struct place *place, struct value *value)
{
    return !(overload(place->bytes) & FILE_HOLDS) && read_text(place, FILE_NAME, FILE_SIZE, value);
}

static bool option_text(const struct place *place, struct value *value)
{
    return read_text(place, 2, place->bytes.left, value);
}

/* Whether the options come to their end. */
static bool ends(struct span all)
{
    struct span run = span_part(all, HEADER, all.left);
    struct option option = { 0 };
    while (tlv_next(&option_set, &run, &option))
        if (option.tlv->stop)
            return true;
    return false;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t wire = self->end - self->offset;
    struct span all = *in;
    self->length = (uint32_t)all.left;
    span_pull(in, all.left);
    bool with_options = all.left >= HEADER && load_be32(all.at + LEAST) == COOKIE;
    if (all.left < wire) {
        /* What a message is stands in its options: of one whose options break off nothing is said. */
        self->length = with_options && !ends(all) ? 0 : self->length;
        return VERDICT_CUT;
    }
    if (wire < LEAST)
        return VERDICT_BROKEN;
    struct span run = span_part(all, HEADER, with_options ? all.left : 0);
    struct option option;
    while (tlv_next(&option_set, &run, &option))
        if (option.broken)
            return VERDICT_BROKEN;
    return VERDICT_WHOLE;
}

/* The message type among options, 0 if there is none. */
static unsigned type_among(struct span run)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option))
        if (option.tlv->kind == OPTION_TYPE && !option.broken && option.bytes.left == 3)
            return option.bytes.at[2];
    return 0;
}

static unsigned type_of(struct span h)
{
    if (h.left < HEADER || load_be32(h.at + LEAST) != COOKIE)
        return 0;
    unsigned type = type_among(span_part(h, HEADER, h.left)), holds = type ? 0 : overload(h);
    if (holds & FILE_HOLDS)
        type = type_among(span_part(h, FILE_NAME, FILE_SIZE));
    return type || !(holds & SERVER_HOLDS) ? type : type_among(span_part(h, SERVER, SERVER_SIZE));
}

static void write_address(struct buffer *out, const char *words, uint32_t address)
{
    if (!address)
        return;
    buffer_text(out, words);
    char *at = buffer_room(out, ADDRESS_TEXT);
    out->at = write_ipv4(at, address);
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = span_part(packet->buffers[layer->buffer], layer->offset, layer->end - layer->offset);
    if (h.left < HARDWARE + HARDWARE_MOST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "too short" : "no more of it");
        return;
    }
    unsigned type = type_of(h);
    const char *name = type ? field_value_name(&option_type[0], type) : field_value_name(&fields[0], h.at[0]);
    buffer_text(out, type ? "DHCP " : "BOOTP ");
    buffer_text(out, name ? name : "type ");
    if (!name)
        buffer_decimal(out, type ? type : h.at[0]);
    if (h.at[2] <= HARDWARE_MOST && h.at[2]) {
        buffer_text(out, ", ");
        buffer_bytes(out, h.at + HARDWARE, h.at[2], ':');
    }
    write_address(out, h.at[0] == REQUEST ? ", has " : ", had ", load_be32(h.at + 12));
    write_address(out, ", gets ", load_be32(h.at + 16));
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 67, 0 },
    { KEY_UDP_PORT, 68, 0 },
    { KEY_UDP_PORT, 4011, 0 }, /* servers of boot files: Preboot Execution Environment 2.1, 2.2.3 */
    { 0 },
};

const struct protocol dhcp_protocol = {
    .name = "dhcp",
    .label = "DHCP",
    .title = N_("Dynamic Host Configuration Protocol"),
    .rfc = "RFC 2131",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};
