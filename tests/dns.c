/* Services that fit into a datagram: names that loop, counts and lengths that lie, and what a line says of them. */
#include "taken.h"

static void setup(void)
{
    registry_open();
}
TestSuite(dns, .init = setup);
TestSuite(dhcp, .init = setup);
TestSuite(ntp, .init = setup);

enum {
    DNS = 53,
    MDNS = 5353,
    LLMNR = 5355,
    DHCP = 67,
    NTP = 123,
    SERVICE = 3 /* the layer */,
    HEADER = 28,
    WIRE_MOST = 1024
};

/* A message over UDP, of which the capture may have kept less. */
static const struct packet *send_part(uint16_t port, const uint8_t *message, size_t n, size_t kept)
{
    static uint8_t bytes[HEADER + WIRE_MOST];
    const uint8_t head[HEADER] = { IPV4(0, 17), 0xc3, 0x50 };
    cr_assert_leq(n, WIRE_MOST);
    memcpy(bytes, head, HEADER);
    store_be16(bytes + 2, (uint16_t)(HEADER + n));
    store_be16(bytes + 22, port);
    store_be16(bytes + 24, (uint16_t)(8 + n));
    memcpy(bytes + HEADER, message, n);
    packet_reset(&packet, (struct span){ bytes, HEADER + kept });
    packet.link_type = RAW;
    packet.wire_length = (uint32_t)(HEADER + n);
    dissect(&packet);
    return &packet;
}
#define SEND(port, ...)                                                                                                \
    static const uint8_t message[] = { __VA_ARGS__ };                                                                  \
    send_part(port, message, sizeof message, sizeof message)

#define HEAD(flags, low, questions, answers, authorities, additionals)                                                 \
    0x2a, 0x2a, flags, low, 0, questions, 0, answers, 0, authorities, 0, additionals
#define EXAMPLE    7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r', 'g', 0
#define AT(offset) 0xc0, offset
#define IN_A       0, 1, 0, 1
#define TTL        0, 0, 1, 0x2c

static void is_broken(void)
{
    cr_assert_eq(packet.layers[SERVICE].verdict, VERDICT_BROKEN);
}

static void is_whole(void)
{
    cr_assert_eq(packet.layers[SERVICE].verdict, VERDICT_WHOLE);
    cr_assert_eq(packet.layer_count, SERVICE + 1);
}

Test(dns, a_question_is_a_line)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), EXAMPLE, IN_A);
    is_whole();
    SAYS("dns.qry.name", "example.org");
    SAYS("dns.qry.type", "1");
    SAYS("dns.flags.rcode", "");
    cr_assert_str_eq(summary(SERVICE), "A? example.org");
}

Test(dns, an_answer_points_at_the_name_asked_for)
{
    SEND(DNS, HEAD(0x81, 0x80, 1, 2, 0, 0), EXAMPLE, IN_A, AT(12), IN_A, TTL, 0, 4, 192, 0, 2, 1, AT(12), 0, 28, 0, 1,
         TTL, 0, 16, ADDRESS6(1));
    is_whole();
    SAYS("dns.resp.name", "example.org,example.org");
    SAYS("dns.resp.ttl", "300,300");
    SAYS("dns.a", "192.0.2.1");
    SAYS("dns.aaaa", "fe80::1");
    cr_assert_str_eq(summary(SERVICE), "example.org A 192.0.2.1, AAAA fe80::1");
}

Test(dns, pointers_may_follow_pointers)
{
    SEND(DNS, HEAD(0x81, 0x80, 1, 2, 0, 0), EXAMPLE, IN_A, AT(12), 0, 5, 0, 1, TTL, 0, 6, 3, 'w', 'w', 'w', AT(12),
         AT(41), IN_A, TTL, 0, 4, 192, 0, 2, 1);
    is_whole();
    SAYS("dns.cname", "www.example.org");
    SAYS("dns.resp.name", "example.org,www.example.org");
    cr_assert_str_eq(summary(SERVICE), "example.org CNAME www.example.org, www.example.org A 192.0.2.1");
}

Test(dns, a_refusal_says_so)
{
    SEND(DNS, HEAD(0x81, 0x83, 1, 0, 0, 0), EXAMPLE, IN_A);
    is_whole();
    cr_assert_str_eq(summary(SERVICE), "NXDOMAIN A? example.org");
}

Test(dns, the_root_has_a_name)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), 0, 0, 2, 0, 1);
    SAYS("dns.qry.name", "<Root>");
    cr_assert_str_eq(summary(SERVICE), "NS? .");
}

Test(dns, a_name_that_points_at_itself_ends)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), AT(12), IN_A);
    SAYS("dns.qry.name", "");
    SAYS("dns.qry.type", "1");
    cr_assert_str_eq(summary(SERVICE), "A? (bad name)");
}

Test(dns, names_that_point_at_each_other_end)
{
    SEND(DNS, HEAD(1, 0, 2, 0, 0, 0), 1, 'a', AT(20), IN_A, 1, 'b', AT(12), IN_A);
    SAYS("dns.qry.name", "");
    SAYS("dns.qry.type", "1,1");
}

Test(dns, a_name_that_points_forward_is_none)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), AT(18), IN_A, 1, 'a', 0);
    SAYS("dns.qry.name", "");
}

Test(dns, a_pointer_beyond_the_message_is_no_name)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), 0xff, 0xff, IN_A);
    SAYS("dns.qry.name", "");
}

Test(dns, a_pointer_into_the_header_is_no_loop)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), AT(4), IN_A); /* a label of no bytes: the root */
    SAYS("dns.qry.name", "<Root>");
}

Test(dns, a_label_beyond_the_end_is_broken)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), 63, 'a', 'b');
    is_broken();
    SAYS("dns.qry.type", "");
    cr_assert_str_eq(summary(SERVICE), "query");
}

Test(dns, a_label_of_a_kind_that_does_not_exist_is_broken)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), 0x40, 'a', 0, IN_A);
    is_broken();
}

Test(dns, a_message_of_pointers_to_pointers_takes_no_time)
{
    static uint8_t message[WIRE_MOST] = { HEAD(1, 0, 200, 0, 0, 0), 0 };
    for (size_t at = 14; at + 1 < sizeof message; at += 2)
        store_be16(message + at, (uint16_t)(0xc000 | (at - 2)));
    send_part(DNS, message, sizeof message, sizeof message);
    values("dns.qry.name");
}

Test(dns, counts_that_lie_are_broken_and_what_is_there_is_shown)
{
    SEND(DNS, HEAD(0x81, 0x80, 1, 255, 255, 255), EXAMPLE, IN_A, AT(12), IN_A, TTL, 0, 4, 192, 0, 2, 1);
    is_broken();
    SAYS("dns.a", "192.0.2.1");
}

Test(dns, a_record_longer_than_the_message_is_broken)
{
    SEND(DNS, HEAD(0x81, 0x80, 1, 1, 0, 0), EXAMPLE, IN_A, AT(12), IN_A, TTL, 0xff, 0xff, 192, 0, 2, 1);
    is_broken();
    SAYS("dns.a", "");
    SAYS("dns.qry.name", "example.org");
    cr_assert_str_eq(summary(SERVICE), "A? example.org");
}

Test(dns, a_message_cut_by_the_capture_is_not_broken)
{
    static const uint8_t message[] = { HEAD(1, 0, 1, 0, 0, 0), EXAMPLE, IN_A };
    for (size_t kept = 0; kept < sizeof message; kept++) {
        send_part(DNS, message, sizeof message, kept);
        if (packet.layer_count > SERVICE)
            cr_assert_eq(packet.layers[SERVICE].verdict, VERDICT_CUT, "%zu bytes", kept);
    }
}

Test(dns, addresses_of_the_wrong_length_are_not_shown)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 2, 0, 0), 0, IN_A, TTL, 0, 3, 192, 0, 2, 0, 0, 28, 0, 1, TTL, 0, 1, 0xfe);
    is_whole();
    SAYS("dns.a", "");
    SAYS("dns.aaaa", "");
    cr_assert_str_eq(summary(SERVICE), ". A, AAAA");
}

Test(dns, strings_of_a_text_may_be_empty_or_too_long)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 1, 0, 0), 0, 0, 16, 0, 1, TTL, 0, 6, 1, 'a', 0, 9, 'b', 'c');
    is_whole();
    SAYS("dns.txt.length", "1,0");
    SAYS("dns.txt", "a,");
}

Test(dns, the_name_of_a_service_is_in_three_parts)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 1, 0, 0), 4, '_', 's', 'i', 'p', 4, '_', 'u', 'd', 'p', EXAMPLE, 0, 33, 0, 1, TTL, 0,
         8, 0, 1, 0, 2, 0x13, 0xc4, AT(22));
    is_whole();
    SAYS("dns.srv.service", "_sip");
    SAYS("dns.srv.proto", "_udp");
    SAYS("dns.srv.name", "example.org");
    SAYS("dns.srv.target", "example.org");
    SAYS("dns.resp.name", "");
    cr_assert_str_eq(summary(SERVICE), "_sip._udp.example.org SRV 5060 example.org");
}

Test(dns, numbers_behind_two_names_are_found)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 1, 0, 0), 0, 0, 6, 0, 1, TTL, 0, 26, 1, 'a', 0, 1, 'b', 0, 0, 0, 0, 1, 0, 0, 0, 2, 0,
         0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5);
    is_whole();
    SAYS("dns.soa.mname", "a");
    SAYS("dns.soa.rname", "b");
    SAYS("dns.soa.serial_number", "1");
    SAYS("dns.soa.minimum_ttl", "5");
}

Test(dns, numbers_behind_a_broken_name_are_absent)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 1, 0, 0), 0, 0, 6, 0, 1, TTL, 0, 26, 1, 'a', 0, 63, 'b', 0, 0, 0, 0, 1, 0, 0, 0, 2, 0,
         0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5);
    SAYS("dns.soa.mname", "a");
    SAYS("dns.soa.serial_number", "");
}

Test(dns, the_types_that_a_name_has_come_out_of_their_bitmap)
{
    SEND(DNS, HEAD(0x81, 0x80, 0, 1, 0, 0), 0, 0, 47, 0, 1, TTL, 0, 9, 0, 0, 1, 0x40, 1, 2, 0x40, 0, 0);
    SAYS("dns.resp.type", "47,1,257");
}

Test(dns, extensions_have_their_own_meaning_of_class_and_time)
{
    SEND(DNS, HEAD(1, 0, 0, 0, 0, 1), 0, 0, 41, 4, 208, 1, 0, 0x80, 0, 0, 6, 0, 10, 0, 2, 'h', 'i');
    is_whole();
    SAYS("dns.rr.udp_payload_size", "1232");
    SAYS("dns.resp.ext_rcode", "0x01");
    SAYS("dns.resp.z.do", "1");
    SAYS("dns.resp.ttl", "");
    SAYS("dns.opt.code", "10");
    SAYS("dns.opt.data", "6869");
}

Test(dns, texts_are_ascii_up_to_a_zero_and_names_utf8)
{
    SEND(DNS, HEAD(0x81, 0, 0, 1, 0, 0), 4, '\\', 0xc3, 0xa9, 0xff, 0, 0, 16, 0, 1, 0, 0, 0, 1, 0, 6, 5, 'a', 0xc3,
         0xa9, 0, 'b');
    SAYS("dns.resp.name", "\\\u00e9\uFFFD");
    SAYS("dns.txt", "a\uFFFD\uFFFD");
}

Test(dns, control_characters_in_a_name_are_escaped)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), 4, 0x1b, '[', '2', 'J', 0, IN_A);
    SAYS("dns.qry.name", "\\033[2J");
    cr_assert_str_eq(summary(SERVICE), "A? \\x1b[2J");
}

Test(dns, on_the_local_link_the_top_bit_of_a_class_is_none_of_it)
{
    SEND(MDNS, HEAD(0x84, 0, 1, 1, 0, 0), EXAMPLE, 0, 1, 0x80, 1, AT(12), 0, 1, 0x80, 1, TTL, 0, 4, 10, 0, 0, 1);
    is_whole();
    cr_assert_str_eq(last()->protocol->name, "mdns");
    SAYS("dns.qry.class", "0x0001");
    SAYS("dns.qry.qu", "1");
    SAYS("dns.resp.class", "0x0001");
    SAYS("dns.resp.cache_flush", "1");
}

Test(dns, elsewhere_it_is)
{
    SEND(DNS, HEAD(1, 0, 1, 0, 0, 0), EXAMPLE, 0, 1, 0x80, 1);
    SAYS("dns.qry.class", "0x8001");
    SAYS("dns.qry.qu", "");
}

Test(dns, llmnr_has_flags_of_its_own)
{
    SEND(LLMNR, HEAD(0x85, 0, 1, 0, 0, 0), EXAMPLE, IN_A);
    cr_assert_str_eq(last()->protocol->name, "llmnr");
    SAYS("dns.flags.conflict", "1");
    SAYS("dns.flags.tentative", "1");
    SAYS("dns.flags.authoritative", "");
}

Test(dns, an_update_counts_other_things)
{
    SEND(DNS, HEAD(0x28, 0, 1, 0, 0, 0), EXAMPLE, 0, 6, 0, 1);
    SAYS("dns.count.zones", "1");
    SAYS("dns.count.prerequisites", "0");
    SAYS("dns.count.updates", "0");
    SAYS("dns.count.queries", "");
    SAYS("dns.count.answers", "");
}

Test(dns, which_types_there_are_stands_in_bitmaps)
{
    SEND(DNS, HEAD(0x84, 0, 0, 2, 0, 0), EXAMPLE, 0, 62, 0, 1, TTL, 0, 10, 0, 0, 0, 7, 0, 3, 0, 2, 0x40, 1, /**/
         AT(12), 0, 30, 0, 1, TTL, 0, 4, AT(12), 0x60, 1);
    SAYS("dns.csync.soa", "7");
    SAYS("dns.nxt.next_domain_name", "example.org");
    SAYS("dns.resp.type", "62,1,15,30,1,2,15");
}

/* --- DHCP --- */

/* A request of aa:bb:cc:dd:ee:ff with these options. */
static void ask(const uint8_t *options, size_t n, size_t kept)
{
    uint8_t message[WIRE_MOST] = { 1, 1, 6, 0, 0x39, 0x03, 0xf3, 0x26 };
    memcpy(message + 28, (const uint8_t[]){ 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff }, 6);
    memcpy(message + 236, (const uint8_t[]){ 0x63, 0x82, 0x53, 0x63 }, 4);
    memcpy(message + 240, options, n);
    send_part(DHCP, message, 240 + n, 240 + kept);
}
#define ASK(...)                                                                                                       \
    static const uint8_t options[] = { __VA_ARGS__ };                                                                  \
    ask(options, sizeof options, sizeof options)

Test(dhcp, a_request_says_what_it_is_and_whose)
{
    ASK(53, 1, 1, 0, 12, 3, 'l', 'a', 'p', 50, 4, 10, 0, 0, 1, 255, 0, 0);
    is_whole();
    SAYS("dhcp.option.dhcp", "1");
    SAYS("dhcp.option.hostname", "lap");
    SAYS("dhcp.option.requested_ip_address", "10.0.0.1");
    SAYS("dhcp.option.type", "53,0,12,50,255");
    cr_assert_str_eq(summary(SERVICE), "DHCP Discover, aa:bb:cc:dd:ee:ff");
}

Test(dhcp, options_within_an_option_are_options)
{
    ASK(82, 8, 1, 2, 'c', 'i', 2, 2, 'r', 'e', 255);
    is_whole();
    SAYS("dhcp.option.agent_information_option.agent_circuit_id", "6369");
    SAYS("dhcp.option.agent_information_option.agent_remote_id", "7265");
}

Test(dhcp, the_rooms_of_the_names_may_hold_options)
{
    uint8_t message[WIRE_MOST] = { 2, 1, 6, 0 };
    memcpy(message + 44, "\x0f\3a.b\xff", 6);
    memcpy(message + 108, "\x35\1\5\x0c\2hn\xff", 8);
    memcpy(message + 236, "\x63\x82\x53\x63\x34\1\1\xff", 8);
    send_part(DHCP, message, 244, 244);
    SAYS("dhcp.option.dhcp", "5");
    SAYS("dhcp.option.hostname", "hn");
    SAYS("dhcp.option.domain_name", "");
    SAYS("dhcp.file", "");
    cr_assert_str_eq(summary(SERVICE), "DHCP ACK, 00:00:00:00:00:00");
    message[242] = 3;
    send_part(DHCP, message, 244, 244);
    SAYS("dhcp.option.domain_name", "a.b");
    SAYS("dhcp.server", "");
    message[242] = 4;
    send_part(DHCP, message, 244, 244);
    SAYS("dhcp.option.dhcp", "");
    SAYS("dhcp.file", "5\\001\\005\\f\\002hn\uFFFD");
}

Test(dhcp, an_option_beyond_the_end_is_broken)
{
    ASK(53, 1, 1, 12, 255, 'l');
    is_broken();
    SAYS("dhcp.option.dhcp", "1");
    SAYS("dhcp.option.hostname", "");
}

Test(dhcp, a_message_without_the_cookie_is_bootp)
{
    static uint8_t message[300] = { 2, 1, 6 };
    send_part(DHCP, message, sizeof message, sizeof message);
    is_whole();
    SAYS("dhcp.options", "");
    cr_assert_str_eq(summary(SERVICE), "BOOTP Boot reply, 00:00:00:00:00:00");
}

Test(dhcp, a_message_too_short_to_be_one_is_broken)
{
    SEND(DHCP, 1, 1, 6, 0);
    is_broken();
}

Test(dhcp, of_a_message_whose_options_are_cut_off_the_line_still_tells)
{
    static const uint8_t options[] = { 53, 1, 1, 255 };
    ask(options, sizeof options, 3);
    cr_assert_eq(packet.layers[SERVICE].verdict, VERDICT_CUT);
    SAYS("dhcp.type", "");
    cr_assert_str_eq(summary(SERVICE), "DHCP Discover, aa:bb:cc:dd:ee:ff");
}

/* --- NTP --- */

Test(ntp, times_are_of_the_era_that_their_top_bit_tells)
{
    static uint8_t message[48] = { 0x24, 1, 6, 0xe8 };
    store_be32(message + 16, 2208988800u); /* 1970 */
    store_be32(message + 40, 1);           /* 2036 */
    store_be32(message + 44, 1u << 31);
    send_part(NTP, message, sizeof message, sizeof message);
    is_whole();
    SAYS("ntp.reftime", "0.000000000");
    SAYS("ntp.org", "");
    SAYS("ntp.xmt", "2085978497.500000000");
    SAYS("ntp.precision", "232");
    cr_assert_str_eq(summary(SERVICE), "NTPv4 server, stratum 1");
}

Test(ntp, an_extension_that_lies_is_none)
{
    static uint8_t message[48 + 60] = { 0x23 };
    store_be16(message + 48, 0x0104);
    store_be16(message + 50, 0xffff);
    send_part(NTP, message, sizeof message, sizeof message);
    SAYS("ntp.ext.type", "");
    SAYS("ntp.keyid", "0104ffff");
}

Test(ntp, an_extension_without_length_ends_them)
{
    static uint8_t message[48 + 60] = { 0x23 };
    send_part(NTP, message, sizeof message, sizeof message);
    SAYS("ntp.ext.type", "");
}

Test(ntp, control_messages_have_another_header)
{
    SEND(NTP, 0x26, 0x82, 0, 1, 6, 0x15, 0, 0, 0, 0, 0, 2, 'o', 'k', 0, 0);
    is_whole();
    SAYS("ntp.stratum", "");
    SAYS("ntp.ctrl.flags2.opcode", "2");
    SAYS("ntp.ctrl.sequence", "1");
    cr_assert_str_eq(summary(SERVICE), "NTPv4 control, read variables, response");
}

Test(ntp, a_message_too_short_is_broken)
{
    SEND(NTP, 0x23, 0, 6);
    is_broken();
}
