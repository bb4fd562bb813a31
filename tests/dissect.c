/* The dissectors on packets built by hand: sound ones, lying ones, endless ones. */
#include "dissectors/everyday.h"
#include "taken.h"

static void setup(void)
{
    registry_open();
}
TestSuite(dissect, .init = setup);

Test(dissect, a_packet_without_bytes_has_no_layers)
{
    const struct packet *p = take(ETHERNET, NULL, 0);
    cr_assert_eq(p->layer_count, 0);
}

Test(dissect, a_link_type_that_nobody_knows_is_data)
{
    TAKE(9999, 1, 2, 3);
    cr_assert_eq(p->layers[0].protocol, &data_protocol);
    SAYS("data.data", "010203");
}

Test(dissect, an_ip_header_of_four_bytes_is_broken)
{
    TAKE(RAW, 0x41, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2);
    cr_assert_eq(p->layer_count, 2);
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("ip.hdr_len", "4");
    SAYS("ip.src", "");
}

Test(dissect, an_ip_length_below_its_own_header_is_broken)
{
    TAKE(RAW, IPV4(19, 6), 1, 2, 3, 4);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("ip.len", "19");
    SAYS("ip.id", "");
}

Test(dissect, an_ip_length_below_its_own_header_hides_what_was_captured_of_that)
{
    TAKE(RAW, 0x45, 0, 0, 8, 0x12, 0x34, 0, 0, 64, 6);
    (void)p;
    SAYS("ip.len", "8");
    SAYS("ip.id", "");
    SAYS("ip.proto", "");
}

Test(dissect, an_ip_length_of_0_is_all_that_was_captured)
{
    TAKE(RAW, IPV4(0, 17), 0, 1, 0, 2, 0, 8, 0, 0);
    (void)p;
    SAYS("ip.len", "28");
    SAYS("udp.dstport", "2");
}

Test(dissect, a_source_route_holds_the_destination)
{
    TAKE(RAW, 0x47, 0, 0, 28, 0, 1, 0, 0, 64, 254, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 131, 7, 4, 10, 0, 0, 9, 0);
    cr_assert_eq(p->ip_dst, 0x0a000009);
    SAYS("ip.dst", "10.0.0.9");
    SAYS("ip.cur_rt", "10.0.0.2");
}

Test(dissect, ip_options_of_length_0_or_1_end_the_options)
{
    for (uint8_t length = 0; length < 2; length++) {
        uint8_t bytes[] = { 0x47, 0, 0,  28, 0, 1, 0, 0,      64, 254, 0, 0, 10, 0,
                            0,    1, 10, 0,  0, 2, 7, length, 4,  0,   0, 0, 0,  0 };
        take(RAW, bytes, sizeof bytes);
        SAYS("ip.opt.type", "7");
        SAYS("ip.rec_rt", "");
    }
}

Test(dissect, a_tcp_offset_beyond_the_packet_is_broken)
{
    TAKE(RAW, IPV4(40, 6), 0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 0, 0xf0, 2, 1, 0, 0, 0, 0, 0);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("tcp.hdr_len", "60");
    SAYS("tcp.len", "");
}

#define PORTS_AND_NUMBERS 0, 80, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 2

Test(dissect, of_a_tcp_header_whose_length_is_none_nothing_is_believed_behind_it)
{
    TAKE(RAW, IPV4(44, 6), PORTS_AND_NUMBERS, 0x10, 0x18, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("tcp.seq_raw", "1");
    SAYS("tcp.hdr_len", "4");
    SAYS("tcp.len", "20");
    SAYS("tcp.flags", "");
    SAYS("tcp.ack_raw", "");
    SAYS("tcp.checksum", "");
}

Test(dissect, a_tcp_header_that_ends_before_its_window_is_ports)
{
    TAKE(RAW, IPV4(40, 6), PORTS_AND_NUMBERS, 0x50, 0x18, 1);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_CUT);
    SAYS("tcp.srcport", "80");
    SAYS("tcp.seq_raw", "");
    SAYS("tcp.hdr_len", "");
    SAYS("tcp.flags", "");
}

Test(dissect, a_tcp_option_of_a_wrong_length_has_no_value)
{
    TAKE(RAW, IPV4(48, 6), PORTS_AND_NUMBERS, 0x70, 2, 1, 2, 0, 0, 0, 0, 3, 4, 7, 7, 3, 3, 6, 1);
    (void)p;
    SAYS("tcp.options.wscale.shift", "6");
    SAYS("tcp.option_len", "4,3");
}

Test(dissect, timestamps_that_end_with_their_segment_are_told_as_far_as_they_go)
{
    TAKE(RAW, IPV4(48, 6), PORTS_AND_NUMBERS, 0x80, 0x10, 1, 2, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 7);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("tcp.options.timestamp.tsval", "7");
    SAYS("tcp.options.timestamp.tsecr", "");
}

Test(dissect, a_datagram_in_the_first_fragment_of_another_is_no_fragment)
{
    TAKE(RAW, 0x45, 0, 1, 0, 0, 1, 0x20, 0, 64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, IPV4(40, 6), PORTS_AND_NUMBERS, 0x50,
         0x18, 1, 2, 0, 0, 0, 0);
    (void)p;
    SAYS("ip.flags.mf", "1,0");
    SAYS("tcp.len", "0");
}

Test(dissect, a_first_fragment_of_ipv6_that_was_cut_off_is_data)
{
    static const uint8_t bytes[] = { IPV6(40, 44), 17, 0, 0, 1, 1, 2, 3, 4, 0, 9, 0, 9, 0, 8, 0, 0 };
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.link_type = RAW;
    packet.wire_length = 80;
    dissect(&packet);
    cr_assert_eq(last()->protocol, &data_protocol);
    cr_assert_not(packet.fragment.present);
}

Test(dissect, a_tcp_option_of_length_0_or_1_ends_the_options)
{
    for (uint8_t length = 0; length < 2; length++) {
        uint8_t bytes[] = { IPV4(44, 6), 0, 80, 0, 81, 0, 0, 0, 1, 0,      0, 0, 0,
                            0x60,        2, 1,  0, 0,  0, 0, 0, 2, length, 5, 0 };
        take(RAW, bytes, sizeof bytes);
        SAYS("tcp.option_kind", "2");
        SAYS("tcp.options.mss_val", "");
    }
}

Test(dissect, vlan_tags_nest_a_thousand_deep_without_harm)
{
    static uint8_t bytes[14 + 4000] = { MACS, 0x81, 0x00 };
    for (size_t i = 14; i < sizeof bytes; i += 4) {
        bytes[i + 1] = 7;
        bytes[i + 2] = 0x81;
    }
    const struct packet *p = take(ETHERNET, bytes, sizeof bytes);
    cr_assert_eq(p->layer_count, LAYERS_MAX);
    cr_assert_eq(last()->protocol, &data_protocol);
    cr_assert(last()->flags & LAYER_DEEP);
}

Test(dissect, a_service_tag_and_a_customer_tag_have_names_of_their_own)
{
    TAKE(ETHERNET, MACS, 0x88, 0xa8, 0x60, 200, 0x81, 0, 0x20, 100, 0x12, 0x34, 0);
    (void)p;
    SAYS("ieee8021ad.id", "200");
    SAYS("ieee8021ad.priority", "3");
    SAYS("vlan.id", "100");
}

Test(dissect, a_type_between_length_and_type_is_neither)
{
    TAKE(ETHERNET, MACS, 0x05, 0xdd, 1, 2, 3);
    cr_assert_eq(p->layer_count, 2);
    SAYS("eth.type", "");
    SAYS("eth.len", "");
    SAYS("eth.invalid_lentype", "0x05dd");
}

Test(dissect, snap_leads_to_ip)
{
    TAKE(ETHERNET, MACS, 0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, IPV4(28, 17), 0, 1, 0, 2, 0, 8, 0, 0);
    (void)p;
    SAYS("llc.type", "0x0800");
    SAYS("udp.srcport", "1");
}

Test(dissect, loopback_families_are_read_in_both_byte_orders)
{
    TAKE(LOOPBACK, 0x1e, 0, 0, 0, IPV6(0, 59));
    (void)p;
    SAYS("null.family", "30");
    SAYS("ipv6.nxt", "59");
    static const uint8_t big[] = { 0, 0, 0, 0x18, IPV6(0, 59) };
    take(LOOPBACK, big, sizeof big);
    SAYS("ipv6.nxt", "59");
}

#define ARP(opcode, target)                                                                                            \
    0, 1, 8, 0, 6, 4, 0, opcode, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, target

Test(dissect, arp_asks_and_tells)
{
    TAKE(ETHERNET, MACS, 8, 6, ARP(1, 2));
    (void)p;
    SAYS("arp.src.hw_mac", "02:00:00:00:00:01");
    SAYS("arp.dst.proto_ipv4", "10.0.0.2");
    cr_assert_str_eq(summary(1), "Who has 10.0.0.2? Tell 10.0.0.1");
    static const uint8_t reply[] = { MACS, 8, 6, ARP(2, 2) };
    take(ETHERNET, reply, sizeof reply);
    cr_assert_str_eq(summary(1), "10.0.0.1 is at 02:00:00:00:00:01");
    static const uint8_t own[] = { MACS, 8, 6, ARP(1, 1) };
    take(ETHERNET, own, sizeof own);
    cr_assert_str_eq(summary(1), "Gratuitous: 10.0.0.1 is at 02:00:00:00:00:01");
}

Test(dissect, arp_addresses_of_odd_lengths_shift_what_follows)
{
    TAKE(ETHERNET, MACS, 8, 6, 0, 7, 8, 0, 1, 4, 0, 1, 0xaa, 10, 0, 0, 1, 0xbb, 10, 0, 0, 2);
    (void)p;
    SAYS("arp.src.hw", "aa");
    SAYS("arp.src.proto_ipv4", "10.0.0.1");
    SAYS("arp.dst.hw", "bb");
    SAYS("arp.dst.proto_ipv4", "10.0.0.2");
}

Test(dissect, arp_addresses_that_do_not_fit_are_not_shown)
{
    TAKE(ETHERNET, MACS, 8, 6, 0, 1, 8, 0, 255, 255, 0, 1, 2, 0, 0, 0, 0, 1);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("arp.opcode", "1");
    SAYS("arp.src.hw", "");
}

Test(dissect, ipv6_headers_that_chain_forever_are_bounded)
{
    static uint8_t bytes[40 + 8 * 200] = { 0x60, 0, 0, 0, 8 * 200 >> 8, 8 * 200 & 255, 60, 255 };
    for (size_t i = 40; i < sizeof bytes; i += 8) {
        bytes[i] = 60;
        bytes[i + 2] = 1; /* PadN */
        bytes[i + 3] = 4;
    }
    const struct packet *p = take(RAW, bytes, sizeof bytes);
    cr_assert_eq(p->layer_count, LAYERS_MAX);
    cr_assert(last()->flags & LAYER_DEEP);
}

Test(dissect, a_routing_header_moves_the_destination_of_checksums)
{
    TAKE(RAW, IPV6(24, 43), 59, 2, 0, 1, 0, 0, 0, 0, ADDRESS6(9));
    cr_assert_eq(p->networks[0].final[15], 9);
    cr_assert_eq(p->networks[0].destination[15], 2);
    SAYS("ipv6.routing.src.addr", "fe80::9");
}

Test(dissect, a_segment_list_longer_than_its_header_is_broken)
{
    TAKE(RAW, IPV6(24, 43), 59, 2, 4, 0, 200, 0, 0, 0, ADDRESS6(9));
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("ipv6.routing.srh.last_entry", "200");
    SAYS("ipv6.routing.srh.addr", "fe80::9");
}

Test(dissect, a_fragment_is_noted_and_not_looked_into)
{
    TAKE(RAW, IPV6(16, 44), 17, 0, 0, 1, 1, 2, 3, 4, 0, 1, 0, 2, 0, 8, 0, 0);
    cr_assert(p->fragment.present && p->fragment.more);
    cr_assert_eq(p->fragment.ident, 0x01020304);
    cr_assert_eq(p->fragment.bytes.left, 8);
    SAYS("udp.srcport", "");
}

Test(dissect, an_icmp_error_quotes_a_datagram)
{
    TAKE(RAW, IPV4(56, 1), 3, 3, 0, 0, 0, 0, 0, 0, IPV4(40, 17), 0, 1, 0, 2, 0, 20, 0, 0);
    cr_assert(p->layers[3].flags & LAYER_QUOTED);
    SAYS("icmp.code", "3");
    SAYS("udp.dstport", "2");
    SAYS("ip.proto", "1,17");
}

Test(dissect, a_neighbour_option_of_length_0_ends_the_options)
{
    TAKE(RAW, IPV6(32, 58), 135, 0, 0, 0, 0, 0, 0, 0, ADDRESS6(7), 1, 0, 2, 0, 0, 0, 0, 1);
    (void)p;
    SAYS("icmpv6.nd.ns.target_address", "fe80::7");
    SAYS("icmpv6.opt.type", "1");
    SAYS("icmpv6.opt.src_linkaddr", "");
}

Test(dissect, a_segment_quoted_by_icmp_tells_its_number_as_soon_as_it_is_there)
{
    TAKE(RAW, IPV4(56, 1), 3, 3, 0, 0, 0, 0, 0, 0, IPV4(40, 6), 0, 80, 0, 81, 0, 0, 0, 5);
    (void)p;
    SAYS("tcp.seq", "5");
    SAYS("tcp.seq_raw", "");
}

Test(dissect, a_segment_quoted_by_icmpv6_tells_its_number_with_its_length)
{
    TAKE(RAW, IPV6(58, 58), 1, 0, 0, 0, 0, 0, 0, 0, IPV6(20, 6), 0, 80, 0, 81, 0, 0, 0, 5, 0, 0);
    (void)p;
    SAYS("tcp.srcport", "80");
    SAYS("tcp.seq", "");
    SAYS("tcp.seq_raw", "");
    static const uint8_t whole[] = { IPV6(68, 58), 1, 0,  0, 0, 0, 0, 0, 0, IPV6(20, 6), 0,
                                     80,           0, 81, 0, 0, 0, 5, 0, 0, 0,           0,
                                     0x50,         2, 1,  0, 0, 0, 0, 0 };
    take(RAW, whole, sizeof whole);
    SAYS("tcp.seq", "5");
    SAYS("tcp.seq_raw", "5");
}

Test(dissect, what_is_quoted_of_a_stream_is_read_alone_though_streams_are_put_together)
{
    static const uint8_t bytes[] = { IPV4(86, 1), 3,   4,   0,   0,   0,   0,   5,   0,   IPV4(90, 6), 3,    0xe8,
                                     0,           80,  0,   0,   0,   5,   0,   0,   0,   0,           0x50, 0x18,
                                     1,           0,   0,   0,   0,   0,   'G', 'E', 'T', ' ',         '/',  'a',
                                     ' ',         'H', 'T', 'T', 'P', '/', '1', '.', '1', 13,          10 };
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.link_type = RAW;
    packet.wire_length = sizeof bytes;
    packet.streams = true;
    dissect(&packet);
    packet.streams = false;
    cr_assert(last()->flags & LAYER_QUOTED);
    SAYS("http.request.uri", "/a");
}

Test(dissect, the_checksum_of_a_quoted_icmpv6_message_is_not_verified)
{
    TAKE(RAW, IPV6(56, 58), 3, 0, 0, 0, 0, 0, 0, 0, IPV6(8, 58), 128, 0, 0, 0, 0, 1, 0, 2);
    (void)p;
    SAYS("icmpv6.type", "3,128");
    SAYS("icmpv6.checksum.status", "0,2");
}

/* RFC 4861, 4.5 and 4.6.3 */
#define REDIRECT 137, 0, 0, 0, 0, 0, 0, 0, ADDRESS6(7), ADDRESS6(8), 2, 1, 2, 0, 0, 0, 0, 1

Test(dissect, a_redirect_quotes_the_packet_in_its_last_option)
{
    TAKE(RAW, IPV6(104, 58), REDIRECT, 4, 7, 0, 0, 0, 0, 0, 0, IPV6(8, 17), 0, 1, 0, 2, 0, 8, 0, 0);
    cr_assert_eq(p->layers[3].verdict, VERDICT_WHOLE);
    cr_assert(p->layers[3].flags & LAYER_QUOTED);
    SAYS("icmpv6.opt.type", "2,4");
    SAYS("icmpv6.opt.length", "1,7");
    SAYS("ipv6.nxt", "58,17");
    SAYS("udp.dstport", "2");
}

Test(dissect, a_redirected_packet_that_was_cut_off_is_quoted_as_far_as_it_goes)
{
    static const uint8_t bytes[] = { IPV6(104, 58), REDIRECT, 4, 7, 0, 0, 0, 0, 0, 0, IPV6(8, 17), 0, 1, 0, 2 };
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.link_type = RAW;
    packet.wire_length = sizeof bytes + 4;
    dissect(&packet);
    SAYS("icmpv6.opt.type", "2,4");
    SAYS("ipv6.nxt", "58,17");
    SAYS("udp.dstport", "2");
    cr_assert_eq(last()->verdict, VERDICT_CUT);
}

Test(dissect, a_redirected_header_that_lies_about_its_length_quotes_nothing)
{
    TAKE(RAW, IPV6(104, 58), REDIRECT, 4, 9, 0, 0, 0, 0, 0, 0, IPV6(8, 17), 0, 1, 0, 2, 0, 8, 0, 0);
    cr_assert_eq(p->layer_count, 3);
    SAYS("icmpv6.opt.type", "2,4");
    SAYS("udp.dstport", "");
}

Test(dissect, mobility_and_certification_messages_have_neighbour_options_too)
{
    static const struct {
        uint8_t type, fixed;
    } messages[] = { { 141, 8 }, { 142, 8 }, { 147, 8 }, { 148, 8 }, { 149, 12 }, { 154, 8 } };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        uint8_t bytes[60] = { IPV6(0, 58), messages[i].type };
        size_t n = 40 + (size_t)messages[i].fixed + 8;
        bytes[5] = (uint8_t)(n - 40);
        bytes[n - 8] = 5;
        bytes[n - 7] = 1;
        bytes[n - 2] = 0x05;
        take(RAW, bytes, n);
        SAYS("icmpv6.opt.type", "5");
        SAYS("icmpv6.opt.mtu", "1280");
    }
}

Test(dissect, igmp_records_are_as_long_as_their_counts_say)
{
    TAKE(RAW, IPV4(48, 2), 0x22, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 1, 224, 0, 0, 1, 10, 0, 0, 9, 4, 0, 0, 0, 224, 0, 0, 2);
    (void)p;
    SAYS("igmp.maddr", "224.0.0.1,224.0.0.2");
    SAYS("igmp.saddr", "10.0.0.9");
    SAYS("igmp.version", "3");
}

Test(dissect, igmp_records_beyond_their_number_are_none)
{
    TAKE(RAW, IPV4(44, 2), 0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 224, 0, 0, 1, 4, 0, 0, 0, 224, 0, 0, 2);
    (void)p;
    SAYS("igmp.maddr", "224.0.0.1");
    SAYS("igmp.checksum.status", "0"); /* which counts all of the datagram: RFC 3376, 4.1.2 */
    cr_assert_eq(last()->protocol, registry_by_name("data"));
}

Test(dissect, messages_of_the_first_igmp_have_their_group_further_behind)
{
    TAKE(RAW, IPV4(40, 2), 1, 0, 0xfe, 0xff, 0, 0, 0, 7, 224, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0);
    (void)p;
    SAYS("igmp.version", "0");
    SAYS("igmp.maddr", "224.0.0.9");
    SAYS("igmp.identifier", "7");
}

Test(dissect, of_igmp_of_an_unknown_type_only_that_is_known)
{
    TAKE(RAW, IPV4(28, 2), 0x18, 0, 1, 2, 224, 0, 0, 9);
    (void)p;
    SAYS("igmp.type", "0x18");
    SAYS("igmp.checksum", "");
    static const uint8_t other[] = { IPV4(28, 2), 0x23, 0, 1, 2, 224, 0, 0, 9 };
    take(RAW, other, sizeof other);
    SAYS("igmp.type", "");
}

Test(dissect, records_of_listeners_beyond_their_number_are_none)
{
    TAKE(RAW, IPV6(48, 58), 143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, ADDRESS6(1), 4, 0, 0, 0, ADDRESS6(2));
    (void)p;
    SAYS("icmpv6.mldr.mar.multicast_address", "fe80::1");
}

Test(dissect, a_redirect_quotes_the_header_and_eight_bytes)
{
    TAKE(RAW, IPV4(68, 1), 5, 1, 0, 0, 10, 0, 0, 9, IPV4(40, 6), 0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0,
         0, 0, 0, 0);
    (void)p;
    SAYS("tcp.srcport", "80");
    SAYS("tcp.seq", "1");
    SAYS("tcp.ack", "");
}

Test(dissect, a_quote_ends_where_its_length_says_and_extensions_begin)
{
    TAKE(RAW, IPV4(68, 1), 11, 0, 0, 0, 0, 5, 0, 0, IPV4(40, 6), 0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0,
         0, 0, 0, 0);
    (void)p;
    SAYS("tcp.window_size_value", "256");
    uint8_t shorter[sizeof bytes];
    memcpy(shorter, bytes, sizeof bytes);
    shorter[25] = 2;
    take(RAW, shorter, sizeof shorter);
    SAYS("tcp.seq", "1");
    SAYS("tcp.ack", "");
}

Test(dissect, checksums_count_a_mobile_nodes_home_as_the_source)
{
    TAKE(RAW, IPV6(32, 60), 17, 2, 0xc9, 16, ADDRESS6(7), 1, 2, 0, 0, 0, 9, 0, 9, 0, 8, 2, 0xc2);
    (void)p;
    SAYS("udp.checksum.status", "1");
}

Test(dissect, a_mobile_routing_header_without_an_address_is_broken)
{
    TAKE(RAW, IPV6(16, 43), 17, 0, 2, 1, 0, 0, 0, 0, 0, 9, 0, 9, 0, 8, 0, 0);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("ipv6.routing"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(dissect, a_family_stands_in_either_half_and_order)
{
    static const uint8_t forms[][4] = { { 0, 0, 0, 2 }, { 2, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 2, 0 } };
    uint8_t bytes[32] = { 0, 0, 0, 0, IPV4(28, 17), 0, 9, 0, 9, 0, 8, 0, 0 };
    for (unsigned i = 0; i < 4; i++) {
        memcpy(bytes, forms[i], 4);
        take(LOOPBACK, bytes, sizeof bytes);
        SAYS("null.family", "2");
        SAYS("udp.dstport", "9");
    }
    memcpy(bytes, "\xff\xff\0\2", 4);
    take(LOOPBACK, bytes, sizeof bytes);
    SAYS("null.type", "0x0002");
    SAYS("ip.version", "");
}

Test(dissect, frames_of_ppp_may_come_from_a_loopback_or_without_a_link_layer)
{
    static const uint8_t bytes[] = { 0xff, 3, 0, 0x21, IPV4(28, 17), 0, 9, 0, 9, 0, 8, 0, 0 };
    take(LOOPBACK, bytes, sizeof bytes);
    SAYS("udp.dstport", "9");
    take(RAW, bytes, sizeof bytes);
    SAYS("udp.dstport", "9");
}

Test(dissect, ipv6_is_known_by_its_version_where_a_family_says_ipv4)
{
    TAKE(LOOPBACK, 2, 0, 0, 0, IPV6(8, 17), 0, 9, 0, 9, 0, 8, 0, 0);
    (void)p;
    SAYS("ip.version", "6");
    SAYS("udp.dstport", "9");
}

Test(dissect, a_service_tag_is_followed_by_no_length)
{
    TAKE(ETHERNET, MACS, 0x88, 0xa8, 0, 5, 0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0);
    (void)p;
    SAYS("llc.dsap", "");
}

Test(dissect, a_udp_length_below_its_header_is_broken)
{
    TAKE(RAW, IPV4(32, 17), 0, 1, 0, 2, 0, 7, 0, 0, 1, 2, 3, 4);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("udp.length", "7");
    SAYS("udp.checksum", "");
}

/* What a hot copy holds, as a number, or false for addresses of 16 bytes that differ. */
static void compare_hot(const struct field *f, const struct value *v)
{
    const uint8_t *copy = (const uint8_t *)&packet + f->hot;
    uint16_t two;
    uint32_t four;
    if (f->type == FIELD_IPV6) {
        cr_assert(!memcmp(copy, v->bytes.at, 16), "%s", f->abbrev);
        return;
    }
    memcpy(&two, copy, 2);
    memcpy(&four, copy, 4);
    uint64_t hot = f->width <= 8 ? *copy : f->width <= 16 ? two : four;
    cr_assert_eq(hot, v->u, "%s: copied %llu, read %llu", f->abbrev, (unsigned long long)hot, (unsigned long long)v->u);
}

static void hot_field(struct sink *sink, const struct field *f, const struct value *value)
{
    (void)sink;
    if (f->hot)
        compare_hot(f, value);
}

/* The first layer of each protocol whose copies are there and are the only ones. */
static void agree(void)
{
    struct sink sink = { .field = hot_field };
    for (unsigned i = 0; i < packet.layer_count; i++) {
        const struct layer *layer = &packet.layers[i];
        if (layer->protocol->hot & packet.have & ~packet.again)
            walk_layer(&packet, layer, &sink);
    }
}

static uint64_t seed = 88172645463325252;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

Test(dissect, hot_copies_agree_with_the_table_on_random_bytes)
{
    static const uint16_t links[] = { 0, 1, 101, 108, 113, 228, 229, 276 };
    for (unsigned turn = 0; turn < 200000; turn++) {
        uint8_t bytes[160];
        size_t n = chance() % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(chance() >> 32);
        take(links[chance() % (sizeof links / sizeof *links)], bytes, n);
        agree();
    }
}

Test(dissect, hot_copies_agree_with_the_table_on_damaged_packets)
{
    static const uint8_t sound[] = { MACS, 8,    0,  0x46, 0,  0, 68, 0, 1, 0, 0,   64,  6,
                                     0,    0,    10, 0,    0,  1, 10, 0, 0, 2, 148, 4,   0,
                                     0,    0,    80, 0,    81, 0, 0,  0, 1, 0, 0,   0,   2,
                                     0x60, 0x12, 1,  0,    0,  0, 0,  0, 2, 4, 5,   180, IPV4(28, 17),
                                     0,    1,    0,  2,    0,  8, 0,  0 };
    static const uint8_t next[] = { 4, 6, 17, 41, 1, 58, 44, 43, 60, 0 };
    for (unsigned turn = 0; turn < 200000; turn++) {
        uint8_t bytes[sizeof sound];
        memcpy(bytes, sound, sizeof sound);
        bytes[23] = next[chance() % sizeof next];
        for (unsigned i = 0; i < turn % 4; i++)
            bytes[12 + chance() % (sizeof bytes - 12)] = (uint8_t)(chance() >> 32);
        take(ETHERNET, bytes, chance() % 3 ? sizeof bytes : chance() % sizeof bytes);
        agree();
    }
}

static bool same_layers(const struct packet *a, const struct packet *b)
{
    for (unsigned i = 0; i < a->layer_count; i++) {
        const struct layer *x = &a->layers[i], *y = &b->layers[i];
        if (x->protocol != y->protocol || x->offset != y->offset || x->length != y->length || x->end != y->end ||
            x->buffer != y->buffer || x->verdict != y->verdict || x->flags != y->flags || x->note != y->note ||
            x->network != y->network)
            return false;
    }
    return true;
}

static bool same_hot_copies(const struct packet *a, const struct packet *b)
{
    return a->ethertype == b->ethertype && a->ip_length == b->ip_length && a->ip_id == b->ip_id &&
           a->ip_ttl == b->ip_ttl && a->ip_proto == b->ip_proto && a->ip_src == b->ip_src && a->ip_dst == b->ip_dst &&
           a->tcp_srcport == b->tcp_srcport && a->tcp_dstport == b->tcp_dstport && a->tcp_seq == b->tcp_seq &&
           a->tcp_ack == b->tcp_ack && a->tcp_flags == b->tcp_flags && a->tcp_window == b->tcp_window &&
           a->tcp_length == b->tcp_length;
}

static bool same_networks(const struct packet *a, const struct packet *b)
{
    for (unsigned i = 0; i < a->network_count; i++) {
        const struct network *x = &a->networks[i], *y = &b->networks[i];
        if (x->source != y->source || x->destination != y->destination || x->final != y->final || x->size != y->size ||
            x->protocol != y->protocol)
            return false;
    }
    return true;
}

/* Takes the packet apart both ways. */
static void take_both_ways(struct packet *slow, const uint8_t *bytes, size_t n, uint32_t wire)
{
    static const uint8_t stops[] = { 0, 0, KEY_TCP_PORT, KEY_IP, KEY_ETHERTYPE };
    slow->stop = packet.stop = stops[chance() % sizeof stops];
    slow->link_type = packet.link_type = ETHERNET;
    slow->wire_length = packet.wire_length = wire;
    packet_reset(&packet, (struct span){ bytes, n });
    dissect(&packet);
    packet_reset(slow, (struct span){ bytes, n });
    dissect_layers(slow);
    packet.stop = 0;
    cr_assert(packet.have == slow->have && packet.again == slow->again && packet.subject == slow->subject &&
              packet.layer_count == slow->layer_count && packet.network_count == slow->network_count);
    cr_assert(same_layers(&packet, slow) && same_networks(&packet, slow));
}

/* The same of a packet that is nearly the one given, and perhaps not whole. */
static void take_nearly(struct packet *slow, const uint8_t *sound, size_t size, unsigned faults)
{
    uint8_t bytes[128];
    memcpy(bytes, sound, size);
    for (unsigned i = 0; i < faults; i++)
        bytes[12 + chance() % (size - 12)] ^= (uint8_t)(1u << chance() % 8);
    size_t n = chance() % 3 ? size : chance() % size;
    take_both_ways(slow, bytes, n, (uint32_t)n + (chance() % 4 ? 0 : (uint32_t)(chance() % 40)));
}

/* dissect has a way of its own for whole Ethernet, IPv4 and TCP headers. */
Test(dissect, the_quick_way_notes_what_the_dissectors_note)
{
    static const uint8_t sound[] = { MACS, 8,   0,   IPV4(64, 6), 148,  4,    0,    80,   0,   0,   0,   1,
                                     0,    0,   0,   2,           0x60, 0x12, 1,    0,    0,   0,   0,   0,
                                     2,    4,   5,   180,         'G',  'E',  'T',  ' ',  '/', ' ', 'H', 'T',
                                     'T',  'P', '/', '1',         '.',  '0',  '\r', '\n', 0,   0,   0,   0 };
    static struct packet slow;
    unsigned quick = 0;
    for (unsigned turn = 0; turn < 300000; turn++) {
        take_nearly(&slow, sound, sizeof sound, turn % 4);
        if (packet.have == (HOT_ETH | HOT_IP | HOT_TCP) && !packet.again) {
            bool cut = packet.layers[2].verdict != VERDICT_WHOLE; /* then no length was copied */
            slow.tcp_length = cut ? packet.tcp_length : slow.tcp_length;
            cr_assert(same_hot_copies(&packet, &slow));
            quick++;
        }
    }
    cr_assert_gt(quick, 50000);
}

/* And for UDP's. */
Test(dissect, the_quick_way_of_datagrams_does_so_too)
{
    static const uint16_t ports[] = { 9, 53, 4789, 40000 };
    uint8_t sound[] = { MACS, 8, 0, IPV4(50, 17), 156, 64,  0, 53, 0, 30, 0, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                        0,    0, 3, 'w',          'w', 'w', 0, 0,  1, 0,  1, 0, 0, 0 };
    static struct packet slow;
    unsigned quick = 0;
    for (unsigned turn = 0; turn < 300000; turn++) {
        store_be16(sound + AT_TCP_SOURCE, ports[chance() % 4]);
        store_be16(sound + AT_TCP_DESTINATION, ports[chance() % 4]);
        take_nearly(&slow, sound, sizeof sound, turn % 4);
        if (packet.have == (HOT_ETH | HOT_IP | HOT_UDP) && !packet.again) {
            cr_assert(packet.udp_srcport == slow.udp_srcport && packet.udp_dstport == slow.udp_dstport &&
                      packet.udp_length == slow.udp_length && packet.ip_length == slow.ip_length &&
                      packet.ip_src == slow.ip_src && packet.ip_dst == slow.ip_dst && packet.ip_id == slow.ip_id &&
                      packet.ip_proto == slow.ip_proto && packet.ip_ttl == slow.ip_ttl &&
                      packet.ethertype == slow.ethertype);
            quick++;
        }
    }
    cr_assert_gt(quick, 50000);
}

static unsigned place_of(const char *protocol, const char *abbrev)
{
    for (const struct field *f = registry_by_name(protocol)->fields; f->abbrev; f++)
        if (!strcmp(f->abbrev, abbrev) && !f->read && !f->after)
            return f->bit;
    cr_assert_fail("no %s", abbrev);
    return 0;
}

Test(dissect, the_quick_way_finds_fields_where_the_tables_say)
{
    cr_expect_eq(place_of("eth", "eth.type"), 8u * AT_ETHERTYPE);
    cr_expect_eq(place_of("ip", "ip.len"), 8u * (AT_IP_LENGTH - AT_IP));
    cr_expect_eq(place_of("ip", "ip.id"), 8u * (AT_IP_ID - AT_IP));
    cr_expect_eq(place_of("ip", "ip.flags"), 8u * (AT_IP_FRAGMENT - AT_IP));
    cr_expect_eq(place_of("ip", "ip.ttl"), 8u * (AT_IP_TTL - AT_IP));
    cr_expect_eq(place_of("ip", "ip.proto"), 8u * (AT_IP_PROTOCOL - AT_IP));
    cr_expect_eq(place_of("ip", "ip.src"), 8u * (AT_IP_SOURCE - AT_IP));
    cr_expect_eq(place_of("ip", "ip.dst"), 8u * (AT_IP_DESTINATION - AT_IP));
    cr_expect_eq(place_of("tcp", "tcp.srcport"), 8u * (AT_TCP_SOURCE - AT_TCP));
    cr_expect_eq(place_of("tcp", "tcp.dstport"), 8u * (AT_TCP_DESTINATION - AT_TCP));
    cr_expect_eq(place_of("tcp", "tcp.seq_raw"), 8u * (AT_TCP_SEQ - AT_TCP));
    cr_expect_eq(place_of("tcp", "tcp.ack_raw"), 8u * (AT_TCP_ACK - AT_TCP));
    cr_expect_eq(place_of("tcp", "tcp.hdr_len"), 8u * (AT_TCP_OFFSET - AT_TCP));
    cr_expect_eq(place_of("tcp", "tcp.window_size_value"), 8u * (AT_TCP_WINDOW - AT_TCP));
    cr_expect_eq(place_of("udp", "udp.srcport"), 8u * (AT_TCP_SOURCE - AT_TCP));
    cr_expect_eq(place_of("udp", "udp.dstport"), 8u * (AT_TCP_DESTINATION - AT_TCP));
    cr_expect_eq(place_of("udp", "udp.length"), 8u * (AT_UDP_LENGTH - AT_TCP));
    cr_expect_eq(registry_by_name("udp")->least, AT_UDP_PAYLOAD - AT_TCP);
}

/* What nobody asks for over UDP is not taken apart, if nothing can be behind it. */
Test(dissect, leaves_carry_nothing_and_all_that_are_known_by_their_looks_are_some)
{
    for (const struct protocol *const *p = protocols; *p; p++) {
        if ((*p)->known & 1 << PROBE_DATAGRAM)
            cr_expect((*p)->leaf, "%s", (*p)->name);
        if (!(*p)->leaf)
            continue;
        cr_expect_not((*p)->carries, "%s", (*p)->name);
        for (const struct field *f = (*p)->fields; f && f->abbrev; f++)
            cr_expect_neq(f->role, ROLE_NEXT, "%s", f->abbrev);
    }
}

Test(dissect, rows_that_are_named_by_number_are_the_ones_meant)
{
    for (const struct protocol *const *protocol = protocols; *protocol; protocol++) {
        unsigned count = 0;
        while ((*protocol)->fields[count].abbrev)
            count++;
        for (const struct field *f = (*protocol)->fields; f->abbrev; f++) {
            cr_assert_leq(f->after, count, "%s", f->abbrev);
            cr_assert(f->after <= (unsigned)(f - (*protocol)->fields), "%s begins after a later row", f->abbrev);
            cr_assert(!f->sized || f->sized <= count, "%s", f->abbrev);
            cr_assert(!f->times || f->times <= count, "%s", f->abbrev);
        }
    }
    cr_assert_str_eq(registry_by_name("ipv6.routing")->fields[10].abbrev, "ipv6.routing.srh.entries");
    cr_assert_str_eq(registry_by_name("icmp")->fields[23].abbrev, "icmp.num_addrs");
    cr_assert_str_eq(registry_by_name("sll")->fields[2].abbrev, "sll.halen");
    cr_assert_str_eq(registry_by_name("sll2")->fields[4].abbrev, "sll.halen");
}
