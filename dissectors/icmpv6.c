/* ICMP for IPv6 (RFC 4443), with neighbour discovery (RFC 4861), multicast listener discovery (RFC 2710, RFC 3810),
 * router advertisement options (RFC 4191, RFC 8106, RFC 8781). Errors quote the datagram that they are about. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    HEADER = 8,
    LEAST = 4, /* type, code, checksum: what every message has */
    UNREACHABLE = 1,
    TOO_BIG = 2,
    TIME_EXCEEDED = 3,
    PARAMETER_PROBLEM = 4,
    ECHO = 128,
    ECHO_REPLY = 129,
    LISTENER_QUERY = 130,
    LISTENER_REPORT = 131,
    LISTENER_DONE = 132,
    ROUTER_SOLICITATION = 133,
    ROUTER_ADVERTISEMENT = 134,
    NEIGHBOUR_SOLICITATION = 135,
    NEIGHBOUR_ADVERTISEMENT = 136,
    REDIRECT = 137,
    INVERSE_SOLICITATION = 141, /* RFC 3122, 2 */
    INVERSE_ADVERTISEMENT = 142,
    LISTENER_REPORT2 = 143,     /* RFC 3810, 5.2 */
    PREFIX_ADVERTISEMENT = 147, /* RFC 6275, 6.8 */
    PATH_SOLICITATION = 148,    /* RFC 3971, 6.4 */
    PATH_ADVERTISEMENT = 149,
    FAST_HANDOVER = 154, /* RFC 5568, 6.1 */
    EXTENDED_ECHO = 160, /* RFC 8335, 2 */
    EXTENDED_ECHO_REPLY = 161,
    REDIRECT_OPTIONS = 40, /* where they begin: RFC 4861, 4.5 */
    REDIRECTED_HEADER = 4, /* the option that quotes a packet behind HEADER bytes of its own: RFC 4861, 4.6.3 */
    RECORD = 20,           /* the fixed part of a multicast address record: RFC 3810, 5.2.4 */
    QUERY2_LEAST = 28,     /* a longer query is version 2: RFC 3810, 8.1 */
    ERROR_TYPE_MAX = 127   /* RFC 4443, 2.1 */
};

static bool checksum_status(const struct place *place, struct value *value);
static bool is_query2(const struct place *place);
static bool query_delay(const struct place *place, struct value *value);
static bool query_code(const struct place *place, struct value *value);
static size_t record_length(struct span run);

#define WHEN_TYPE(name, low, high)                                                                                     \
    static const struct when name[] = {                                                                                \
        { BITS(0, 8), low, high },                                                                                     \
        { 0 },                                                                                                         \
    }
WHEN_TYPE(is_unreachable, UNREACHABLE, UNREACHABLE);
WHEN_TYPE(is_too_big, TOO_BIG, TOO_BIG);
WHEN_TYPE(is_time_exceeded, TIME_EXCEEDED, TIME_EXCEEDED);
WHEN_TYPE(is_parameter_problem, PARAMETER_PROBLEM, PARAMETER_PROBLEM);
WHEN_TYPE(is_echo, ECHO, ECHO_REPLY);
WHEN_TYPE(is_query, LISTENER_QUERY, LISTENER_QUERY);
WHEN_TYPE(is_listener, LISTENER_QUERY, LISTENER_DONE);
WHEN_TYPE(is_listener1, LISTENER_REPORT, LISTENER_DONE);
WHEN_TYPE(is_report2, LISTENER_REPORT2, LISTENER_REPORT2);
WHEN_TYPE(is_router_advertisement, ROUTER_ADVERTISEMENT, ROUTER_ADVERTISEMENT);
WHEN_TYPE(is_solicitation, NEIGHBOUR_SOLICITATION, NEIGHBOUR_SOLICITATION);
WHEN_TYPE(is_advertisement, NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_ADVERTISEMENT);
WHEN_TYPE(is_neighbour, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT);
WHEN_TYPE(is_redirect, REDIRECT, REDIRECT);
WHEN_TYPE(is_prefix_advertisement, PREFIX_ADVERTISEMENT, PREFIX_ADVERTISEMENT);
WHEN_TYPE(is_path, PATH_SOLICITATION, PATH_ADVERTISEMENT);
WHEN_TYPE(is_path_solicitation, PATH_SOLICITATION, PATH_SOLICITATION);
WHEN_TYPE(is_path_advertisement, PATH_ADVERTISEMENT, PATH_ADVERTISEMENT);
WHEN_TYPE(is_fast_handover, FAST_HANDOVER, FAST_HANDOVER);
WHEN_TYPE(is_extended_echo, EXTENDED_ECHO, EXTENDED_ECHO_REPLY);
WHEN_TYPE(is_extended_request, EXTENDED_ECHO, EXTENDED_ECHO);
WHEN_TYPE(is_extended_reply, EXTENDED_ECHO_REPLY, EXTENDED_ECHO_REPLY);

/* Codes of these have no names. */
static const struct when is_other[] = {
    { BITS(0, 8), 0, UNREACHABLE - 1 },
    { BITS(0, 8), TOO_BIG, TOO_BIG },
    { BITS(0, 8), PARAMETER_PROBLEM + 1, 255 },
    { 0 },
};

static const struct when has_unused[] = {
    { BITS(0, 8), UNREACHABLE, UNREACHABLE },
    { BITS(0, 8), TIME_EXCEEDED, TIME_EXCEEDED },
    { BITS(0, 8), ROUTER_SOLICITATION, ROUTER_SOLICITATION },
    { BITS(0, 8), NEIGHBOUR_SOLICITATION, NEIGHBOUR_SOLICITATION },
    { BITS(0, 8), REDIRECT, REDIRECT },
    { 0 },
};

/* Those whose options begin behind the first eight bytes. */
static const struct when has_options[] = {
    { BITS(0, 8), ROUTER_SOLICITATION, ROUTER_SOLICITATION },
    { BITS(0, 8), INVERSE_SOLICITATION, INVERSE_ADVERTISEMENT },
    { BITS(0, 8), PREFIX_ADVERTISEMENT, PATH_SOLICITATION },
    { BITS(0, 8), FAST_HANDOVER, FAST_HANDOVER },
    { 0 },
};

static const struct value_name types[] = {
    { UNREACHABLE, "Destination unreachable" },
    { TOO_BIG, "Packet too big" },
    { TIME_EXCEEDED, "Time exceeded" },
    { PARAMETER_PROBLEM, "Parameter problem" },
    { ECHO, "Echo request" },
    { ECHO_REPLY, "Echo reply" },
    { LISTENER_QUERY, "Multicast listener query" },
    { LISTENER_REPORT, "Multicast listener report" },
    { LISTENER_DONE, "Multicast listener done" },
    { ROUTER_SOLICITATION, "Router solicitation" },
    { ROUTER_ADVERTISEMENT, "Router advertisement" },
    { NEIGHBOUR_SOLICITATION, "Neighbour solicitation" },
    { NEIGHBOUR_ADVERTISEMENT, "Neighbour advertisement" },
    { REDIRECT, "Redirect" },
    { 138, "Router renumbering" },
    { 139, "Node information query" },
    { 140, "Node information reply" },
    { INVERSE_SOLICITATION, "Inverse neighbour solicitation" },
    { INVERSE_ADVERTISEMENT, "Inverse neighbour advertisement" },
    { LISTENER_REPORT2, "Multicast listener report v2" },
    { 144, "Home agent address discovery request" },
    { 145, "Home agent address discovery reply" },
    { 146, "Mobile prefix solicitation" },
    { PREFIX_ADVERTISEMENT, "Mobile prefix advertisement" },
    { PATH_SOLICITATION, "Certification path solicitation" },
    { PATH_ADVERTISEMENT, "Certification path advertisement" },
    { FAST_HANDOVER, "Fast handover" },
    { 155, "RPL control" },
    { EXTENDED_ECHO, "Extended echo request" },
    { EXTENDED_ECHO_REPLY, "Extended echo reply" },
    { 0, NULL },
};

/* RFC 4443, 3.1, 3.3, 3.4; RFC 6550, 20.18; RFC 7112, 5; RFC 8883, 5; RFC 8754, 8.4 */
static const struct value_name unreachable_codes[] = {
    { 0, "No route to destination" },
    { 1, "Communication administratively prohibited" },
    { 2, "Beyond scope of source address" },
    { 3, "Address unreachable" },
    { 4, "Port unreachable" },
    { 5, "Source address failed policy" },
    { 6, "Reject route to destination" },
    { 7, "Error in source routing header" },
    { 8, "Headers too long" },
    { 0, NULL },
};
static const struct value_name time_exceeded_codes[] = {
    { 0, "Hop limit exceeded in transit" },
    { 1, "Fragment reassembly time exceeded" },
    { 0, NULL },
};
static const struct value_name parameter_problem_codes[] = {
    { 0, "Erroneous header field" },
    { 1, "Unrecognized next header" },
    { 2, "Unrecognized option" },
    { 3, "First fragment has incomplete header chain" },
    { 4, "Upper-layer header error in segment routing" },
    { 5, "Unrecognized next header by intermediate node" },
    { 6, "Extension header too big" },
    { 7, "Extension header chain too long" },
    { 8, "Too many extension headers" },
    { 9, "Too many options in extension header" },
    { 10, "Option too big" },
    { 0, NULL },
};
enum { ROW_CODE = 1, ROWS_CODE = 3 }; /* those that name it */

/* Options: RFC 4861, 4.6. Their length counts units of eight bytes, kind and length included. */
static const struct when has_head[] = {
    { BITS(0, 16), 0, 0xffff },
    { 0 },
};
static const struct field option_common[] = {
    { "icmpv6.opt.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .when = has_head },
    { "icmpv6.opt.length", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field option_source[] = {
    { "icmpv6.opt.src_linkaddr", N_("Source Link-layer address"), FIELD_BYTES, TO_END(2),
      .also = "icmpv6.opt.linkaddr" },
    { 0 },
};
static const struct field option_target[] = {
    { "icmpv6.opt.target_linkaddr", N_("Target Link-layer address"), FIELD_BYTES, TO_END(2),
      .also = "icmpv6.opt.linkaddr" },
    { 0 },
};
static const struct field option_prefix[] = {
    { "icmpv6.opt.prefix.length", N_("Prefix Length"), FIELD_UINT, BYTE(2, 1) },
    { "icmpv6.opt.prefix.flag", N_("Flags"), FIELD_UINT, BYTE(3, 1), .base = BASE_HEX },
    { "icmpv6.opt.prefix.flag.l", N_("On-link"), FIELD_BOOL, BITS(24, 1) },
    { "icmpv6.opt.prefix.flag.a", N_("Autonomous configuration"), FIELD_BOOL, BITS(25, 1) },
    { "icmpv6.opt.prefix.flag.r", N_("Router address"), FIELD_BOOL, BITS(26, 1) },
    { "icmpv6.opt.prefix.valid_lifetime", N_("Valid Lifetime"), FIELD_UINT, BYTE(4, 4) },
    { "icmpv6.opt.prefix.preferred_lifetime", N_("Preferred Lifetime"), FIELD_UINT, BYTE(8, 4) },
    { "icmpv6.opt.prefix", N_("Prefix"), FIELD_IPV6, BYTE(16, 16) },
    { 0 },
};
static const struct field option_redirected[] = {
    { "icmpv6.opt.redirected_packet", N_("Redirected Packet"), FIELD_BYTES, TO_END(8) },
    { 0 },
};
static const struct field option_mtu[] = {
    { "icmpv6.opt.mtu", N_("MTU"), FIELD_UINT, BYTE(4, 4) },
    { 0 },
};
static const struct field option_interval[] = {
    { "icmpv6.opt.advertisement_interval", N_("Advertisement Interval"), FIELD_UINT, BYTE(4, 4) },
    { 0 },
};
static const struct field option_home_agent[] = {
    { "icmpv6.opt.home_agent_preference", N_("Home Agent Preference"), FIELD_UINT, BYTE(4, 2) },
    { "icmpv6.opt.home_agent_lifetime", N_("Home Agent Lifetime"), FIELD_UINT, BYTE(6, 2) },
    { 0 },
};
static const struct field option_nonce[] = {
    { "icmpv6.opt.nonce", N_("Nonce"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field option_route[] = {
    { "icmpv6.opt.prefix.length", N_("Prefix Length"), FIELD_UINT, BYTE(2, 1) },
    { "icmpv6.opt.route_info.flag.route_preference", N_("Route Preference"), FIELD_UINT, BITS(27, 2) },
    { "icmpv6.opt.route_lifetime", N_("Route Lifetime"), FIELD_UINT, BYTE(4, 4) },
    { "icmpv6.opt.prefix", N_("Prefix"), FIELD_IPV6, BYTE(8, 16), .flags = FIELD_ROOM },
    { 0 },
};
static const struct field option_servers[] = {
    { "icmpv6.opt.rdnss.lifetime", N_("Lifetime"), FIELD_UINT, BYTE(4, 4) },
    { "icmpv6.opt.rdnss", N_("Recursive DNS Server"), FIELD_IPV6, BYTE(8, 16), .stride = 16 },
    { 0 },
};
static const struct field option_search[] = {
    { "icmpv6.opt.dnssl.lifetime", N_("Lifetime"), FIELD_UINT, BYTE(4, 4) },
    { "icmpv6.opt.dnssl", N_("Domain Names"), FIELD_BYTES, TO_END(8) },
    { 0 },
};
static const struct field option_portal[] = {
    { "icmpv6.opt.captive_portal", N_("Captive Portal"), FIELD_TEXT, TO_END(2) },
    { 0 },
};
static const struct field option_pref64[] = {
    { "icmpv6.opt.pref64.scaled_lifetime", N_("Lifetime"), FIELD_UINT, BITS(16, 13), .unit = 8 },
    { "icmpv6.opt.pref64.plc", N_("Prefix Length Code"), FIELD_UINT, BITS(29, 3) },
    { "icmpv6.opt.pref64.prefix", N_("Prefix"), FIELD_BYTES, BYTE(4, 12) },
    { 0 },
};
static const struct tlv options[] = {
    { 1, "Source Link-layer Address", option_source, .name = "src_linkaddr" },
    { 2, "Target Link-layer Address", option_target, .name = "target_linkaddr" },
    { 3, "Prefix Information", option_prefix, .name = "prefix" },
    { 4, "Redirected Header", option_redirected, .name = "redirected_packet" },
    { 5, "MTU", option_mtu },
    { 7, "Advertisement Interval", option_interval, .name = "advertisement_interval" }, /* RFC 6275, 7.3 */
    { 8, "Home Agent Information", option_home_agent },                                 /* RFC 6275, 7.4 */
    { 14, "Nonce", option_nonce },                                                      /* RFC 3971, 5.3.2 */
    { 24, "Route Information", option_route },                                          /* RFC 4191, 2.3 */
    { 25, "Recursive DNS Server", option_servers, .name = "rdnss" },                    /* RFC 8106, 5.1 */
    { 31, "DNS Search List", option_search, .name = "dnssl" },                          /* RFC 8106, 5.2 */
    { 37, "Captive Portal", option_portal },                                            /* RFC 8910, 2.3 */
    { 38, "PREF64", option_pref64 },                                                    /* RFC 8781, 4 */
    { 0xffff, "Unknown", NULL },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 1, .length_size = 1, .unit = 8, .included = 2, .common = option_common, .kinds = options
};

/* Multicast address records: RFC 3810, 5.2. */
enum { ROW_RECORD_SOURCES = 3 };
static const struct field record_fields[] = {
    { "icmpv6.mldr.mar.record_type", N_("Record Type"), FIELD_UINT, BYTE(0, 1) },
    { "icmpv6.mldr.mar.aux_data_len", N_("Auxiliary data, in words"), FIELD_UINT, BYTE(1, 1) },
    { "icmpv6.mldr.mar.nb_sources", N_("Number of Sources"), FIELD_UINT, BYTE(2, 2) },
    { "icmpv6.mldr.mar.multicast_address", N_("Multicast Address"), FIELD_IPV6, BYTE(4, 16) },
    { "icmpv6.mldr.mar.source_address", N_("Source Address"), FIELD_IPV6, BYTE(RECORD, 16), .stride = 16,
      .times = ROW_RECORD_SOURCES },
    { 0 },
};
static const struct tlv records[] = {
    { 1, "Mode is include", record_fields },     { 2, "Mode is exclude", record_fields },
    { 3, "Changed to include", record_fields },  { 4, "Changed to exclude", record_fields },
    { 5, "Allow new sources", record_fields },   { 6, "Block old sources", record_fields },
    { 0xffff, "Unknown record", record_fields }, { 0 },
};
static const struct tlv_set record_set = { .kind_size = 1, .measure = record_length, .kinds = records };

static const struct field fields[] = {
    { "icmpv6.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = ECHO, .names = types },
    { "icmpv6.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_unreachable, .names = unreachable_codes },
    { "icmpv6.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_time_exceeded, .names = time_exceeded_codes },
    { "icmpv6.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_parameter_problem,
      .names = parameter_problem_codes },
    { "icmpv6.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_other },
    { "icmpv6.checksum", N_("Checksum"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM,
      .counts = COUNTS_PSEUDO },
    { "icmpv6.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names },
    { "icmpv6.mtu", N_("MTU"), FIELD_UINT, BYTE(4, 4), .when = is_too_big },
    { "icmpv6.reserved", N_("Reserved"), FIELD_BYTES, BYTE(4, 4), .flags = FIELD_HIDDEN, .when = has_unused },
    { "icmpv6.pointer", N_("Pointer"), FIELD_UINT, BYTE(4, 4), .when = is_parameter_problem },
    { "icmpv6.echo.identifier", N_("Identifier"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX, .when = is_echo },
    { "icmpv6.echo.sequence_number", N_("Sequence"), FIELD_UINT, BYTE(6, 2), .when = is_echo },
    { "icmpv6.resp_to", N_("Answers the request in packet"), FIELD_UINT, NOTE(question_frame, NOTE_ANSWERS) },
    { "icmpv6.echo.identifier", N_("Identifier"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX, .when = is_extended_echo },
    { "icmpv6.ext.echo.seq", N_("Sequence number"), FIELD_UINT, BYTE(6, 1), .when = is_extended_echo },
    { "icmpv6.ext.echo.req.local", N_("Local"), FIELD_BOOL, BITS(63, 1), .when = is_extended_request },
    { "icmpv6.ext.echo.rsp.state", N_("State"), FIELD_UINT, BITS(56, 3), .when = is_extended_reply },
    { "icmpv6.ext.echo.rsp.active", N_("Active"), FIELD_BOOL, BITS(61, 1), .when = is_extended_reply },
    { "icmpv6.ext.echo.rsp.ipv4", N_("IPv4"), FIELD_BOOL, BITS(62, 1), .when = is_extended_reply },
    { "icmpv6.ext.echo.rsp.ipv6", N_("IPv6"), FIELD_BOOL, BITS(63, 1), .when = is_extended_reply },
    { "icmpv6.mld.maximum_response_delay", N_("Maximum Response Delay"), FIELD_UINT, BYTE(4, 2), .when = is_listener1 },
    { "icmpv6.mld.maximum_response_delay", N_("Maximum Response Delay"), FIELD_UINT, .when = is_query,
      .read = query_delay },
    { "icmpv6.mld.maximum_response_code", N_("Maximum Response Code"), FIELD_UINT, BYTE(4, 2), .when = is_query,
      .read = query_code },
    { "icmpv6.mld.multicast_address", N_("Multicast Address"), FIELD_IPV6, BYTE(8, 16), .when = is_listener },
    { "icmpv6.mld.flag", N_("Flags"), FIELD_UINT, BYTE(24, 1), .base = BASE_HEX, .flags = FIELD_ROOM,
      .when = is_query },
    { "icmpv6.mld.flag.s", N_("Suppress router-side processing"), FIELD_BOOL, BITS(196, 1), .flags = FIELD_ROOM,
      .when = is_query },
    { "icmpv6.mld.flag.qrv", N_("Querier's robustness"), FIELD_UINT, BITS(197, 3), .flags = FIELD_ROOM,
      .when = is_query },
    { "icmpv6.mld.qqi", N_("Querier's query interval code"), FIELD_UINT, BYTE(25, 1), .flags = FIELD_ROOM,
      .when = is_query },
    { "icmpv6.mld.nb_sources", N_("Number of Sources"), FIELD_UINT, BYTE(26, 2), .flags = FIELD_ROOM,
      .when = is_query },
    { "icmpv6.mld.source_address", N_("Source Address"), FIELD_IPV6, BYTE(28, 16), .stride = 16, .flags = FIELD_MANY,
      .when = is_query },
    { "icmpv6.mldr.nb_mcast_records", N_("Number of records"), FIELD_UINT, BYTE(6, 2), .when = is_report2 },
    { "icmpv6.mldr.mar", N_("Multicast Address Records"), FIELD_TLVS, TO_END(8), .tlvs = &record_set,
      .when = is_report2 },
    { "icmpv6.nd.ra.cur_hop_limit", N_("Cur hop limit"), FIELD_UINT, BYTE(4, 1), .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag", N_("Flags"), FIELD_UINT, BYTE(5, 1), .base = BASE_HEX, .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag.m", N_("Managed addresses"), FIELD_BOOL, BITS(40, 1), .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag.o", N_("Other configuration"), FIELD_BOOL, BITS(41, 1), .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag.h", N_("Home Agent"), FIELD_BOOL, BITS(42, 1), .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag.prf", N_("Router preference"), FIELD_UINT, BITS(43, 2), .when = is_router_advertisement },
    { "icmpv6.nd.ra.flag.p", N_("Proxy"), FIELD_BOOL, BITS(45, 1), .when = is_router_advertisement },
    { "icmpv6.nd.ra.router_lifetime", N_("Router lifetime"), FIELD_UINT, BYTE(6, 2), .when = is_router_advertisement },
    { "icmpv6.nd.ra.reachable_time", N_("Reachable time"), FIELD_UINT, BYTE(8, 4), .when = is_router_advertisement },
    { "icmpv6.nd.ra.retrans_timer", N_("Retrans timer"), FIELD_UINT, BYTE(12, 4), .when = is_router_advertisement },
    { "icmpv6.nd.na.flag", N_("Flags"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX, .when = is_advertisement },
    { "icmpv6.nd.na.flag.r", N_("Router"), FIELD_BOOL, BITS(32, 1), .when = is_advertisement },
    { "icmpv6.nd.na.flag.s", N_("Solicited"), FIELD_BOOL, BITS(33, 1), .when = is_advertisement },
    { "icmpv6.nd.na.flag.o", N_("Override"), FIELD_BOOL, BITS(34, 1), .when = is_advertisement },
    { "icmpv6.nd.ns.target_address", N_("Target Address"), FIELD_IPV6, BYTE(8, 16), .when = is_solicitation },
    { "icmpv6.nd.na.target_address", N_("Target Address"), FIELD_IPV6, BYTE(8, 16), .when = is_advertisement },
    { "icmpv6.nd.rd.target_address", N_("Target Address"), FIELD_IPV6, BYTE(8, 16), .when = is_redirect },
    { "icmpv6.rd.na.destination_address", N_("Destination Address"), FIELD_IPV6, BYTE(24, 16), .when = is_redirect },
    { "icmpv6.mip6.identifier", N_("Identifier"), FIELD_UINT, BYTE(4, 2), .when = is_prefix_advertisement },
    { "icmpv6.mip6.flag.m", N_("Managed addresses"), FIELD_BOOL, BITS(48, 1), .when = is_prefix_advertisement },
    { "icmpv6.mip6.flag.o", N_("Other configuration"), FIELD_BOOL, BITS(49, 1), .when = is_prefix_advertisement },
    { "icmpv6.send.identifier", N_("Identifier"), FIELD_UINT, BYTE(4, 2), .when = is_path },
    { "icmpv6.send.all_components", N_("All Components"), FIELD_UINT, BYTE(6, 2), .when = is_path_advertisement },
    { "icmpv6.send.component", N_("Component"), FIELD_UINT, BYTE(6, 2), .when = is_path_solicitation },
    { "icmpv6.send.component", N_("Component"), FIELD_UINT, BYTE(8, 2), .when = is_path_advertisement },
    { "icmpv6.fmip6.subtype", N_("Subtype"), FIELD_UINT, BYTE(4, 1), .when = is_fast_handover },
    { "icmpv6.fmip6.identifier", N_("Identifier"), FIELD_UINT, BYTE(6, 2), .when = is_fast_handover },
    { "icmpv6.options", N_("Options"), FIELD_TLVS, TO_END(8), .tlvs = &option_set, .when = has_options },
    { "icmpv6.options", N_("Options"), FIELD_TLVS, TO_END(12), .tlvs = &option_set, .when = is_path_advertisement },
    { "icmpv6.options", N_("Options"), FIELD_TLVS, TO_END(16), .tlvs = &option_set, .when = is_router_advertisement },
    { "icmpv6.options", N_("Options"), FIELD_TLVS, TO_END(24), .tlvs = &option_set, .when = is_neighbour },
    { "icmpv6.options", N_("Options"), FIELD_TLVS, TO_END(40), .tlvs = &option_set, .when = is_redirect },
    { 0 },
};

static bool checksum_status(const struct place *place, struct value *value)
{
    if (place->bytes.left < LEAST)
        return false;
    /* What is quoted was seldom quoted whole. */
    bool quoted = place->layer->flags & LAYER_QUOTED;
    value->u = quoted ? CHECKSUM_UNVERIFIED : checksum_verify(place->packet, place->layer, 58);
    return true;
}

static bool is_query2(const struct place *place)
{
    return place->layer->end - place->layer->offset >= QUERY2_LEAST;
}

static bool query_number(const struct place *place, struct value *value)
{
    if (place->bytes.left < HEADER)
        return false;
    value->u = load_be16(place->bytes.at + 4);
    value->bytes = span_part(place->bytes, 4, 2);
    value->bit = 32;
    value->width = 16;
    return true;
}

static bool query_delay(const struct place *place, struct value *value)
{
    return !is_query2(place) && query_number(place, value);
}

static bool query_code(const struct place *place, struct value *value)
{
    return is_query2(place) && query_number(place, value);
}

static size_t record_length(struct span run)
{
    return run.left < RECORD ? 0 : RECORD + 16u * load_be16(run.at + 2) + 4u * run.at[1];
}

/* RFC 3810, 5.2.11: what comes behind the last record that is counted is none of the report. */
static size_t report_length(struct span report, size_t all)
{
    struct span run = span_part(report, HEADER, report.left);
    struct option record;
    for (unsigned left = load_be16(report.at + 6); left && tlv_next(&record_set, &run, &record); left--)
        if (record.broken)
            return all;
    return report.left - run.left;
}

/* Messages of known kinds are header to their end, but for echoes, whose data is anybody's, and errors. */
static size_t header_length(uint8_t type, size_t all)
{
    bool known = (type >= LISTENER_QUERY && type <= REDIRECT) || type == INVERSE_SOLICITATION ||
                 type == INVERSE_ADVERTISEMENT || type == LISTENER_REPORT2 ||
                 (type >= PREFIX_ADVERTISEMENT && type <= PATH_ADVERTISEMENT) || type == FAST_HANDOVER;
    return known ? all : HEADER;
}

/* Where the packet begins that a redirect's last option quotes, in a message of `all` bytes of which some were
 * captured; 0: there is none. */
static size_t redirected_packet(struct span message, size_t all)
{
    struct span run = span_part(message, REDIRECT_OPTIONS, message.left);
    struct option option;
    while (tlv_next(&option_set, &run, &option)) {
        size_t at = (size_t)(option.bytes.at - message.at);
        bool last = !option.broken ? !run.left : message.left < all;
        if (last && option.bytes.at[0] == REDIRECTED_HEADER && option.bytes.left > HEADER)
            return at + HEADER;
    }
    return 0;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, LEAST);
    size_t all = self->end - self->offset, length = h ? header_length(h[0], all) : HEADER;
    size_t quote = h && h[0] == REDIRECT ? redirected_packet(*in, all) : 0;
    if (quote)
        length = quote;
    else if (h && h[0] == LISTENER_REPORT2 && in->left > HEADER)
        length = report_length(*in, all);
    struct span header = span_part(*in, 0, length);
    self->length = (uint32_t)header.left;
    span_pull(in, header.left);
    if (header.left < length)
        return VERDICT_CUT;
    bool quotes = quote || (h[0] >= UNREACHABLE && h[0] <= PARAMETER_PROBLEM);
    if (quotes && in->left && in->at[0] >> 4 == 6)
        *next = (struct key){ KEY_ICMP_QUOTE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void write_address(struct buffer *out, const char *before, const uint8_t *address)
{
    buffer_text(out, before);
    char *at = buffer_room(out, ADDRESS_TEXT);
    out->at = write_ipv6(at, address);
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < LEAST) {
        buffer_text(out, "cut short");
        return;
    }
    uint8_t type = h.at[0];
    const char *name = field_value_name(&fields[0], type);
    buffer_text(out, name ? name : "type ");
    if (!name)
        buffer_decimal(out, type);
    if ((type == ECHO || type == ECHO_REPLY) && h.left >= HEADER) {
        buffer_text(out, " id ");
        buffer_decimal(out, load_be16(h.at + 4));
        buffer_text(out, " seq ");
        buffer_decimal(out, load_be16(h.at + 6));
    } else if (type == TOO_BIG && h.left >= HEADER) {
        buffer_text(out, ", mtu ");
        buffer_decimal(out, load_be32(h.at + 4));
    } else if (type >= NEIGHBOUR_SOLICITATION && type <= REDIRECT && h.left >= 24) {
        write_address(out, type == NEIGHBOUR_SOLICITATION ? " for " : type == REDIRECT ? " to " : " of ", h.at + 8);
    } else if (type <= ERROR_TYPE_MAX) {
        header_write_code(packet, layer, &fields[ROW_CODE], ROWS_CODE, out);
    }
}

static const struct key keys[] = {
    { KEY_IP, 58, 0 },
    { 0 },
};

static enum turn turn(const struct packet *packet, const struct layer *layer, int64_t *number)
{
    return header_ping(packet, layer, ECHO, ECHO_REPLY, number);
}

const struct protocol icmpv6_protocol = {
    .name = "icmpv6",
    .label = "ICMPv6",
    .title = N_("Internet Control Message Protocol v6"),
    .rfc = "RFC 4443",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .turn = turn,
    .summary = summary,
};
