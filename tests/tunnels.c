/* Tunnels and the link layers that only carry: what is in them comes out, and a header that lies hides nothing else. */
#include "taken.h"

static void setup(void)
{
    registry_open();
}
TestSuite(tunnels, .init = setup);

enum {
    PPP = 9,
    PPP_DIRECTION = 204,
    CISCO_HDLC = 104,
    FDDI = 10,
    WLAN = 105,
    FRAME_RELAY = 107,
    ENC = 109,
    PFLOG = 117,
    PRISM = 119,
    RADIOTAP = 127,
    AVS = 163,
    NFLOG = 239,
};

#define TYPE(high, low)            MACS, high, low
#define UDP(high, low, length)     0x9c, 0x40, high, low, 0, length, 0, 0
#define DATAGRAM                   IPV4(28, 17), 0, 9, 0, 9, 0, 8, 0, 0
#define FRAME                      MACS, 0x08, 0, DATAGRAM
#define GRE(length, flags, more)   IPV4(length, 47), flags, more
#define OVER_UDP(port, low, carry) IPV4(28 + (carry), 17), UDP(port, low, 8 + (carry))

/* What was found in the tunnel: the datagram with port 9. */
static void carries_datagram(void)
{
    cr_assert_eq(last()->protocol, registry_by_name("udp"));
    cr_assert_eq(last()->verdict, VERDICT_WHOLE);
    cr_assert(strstr(values("udp.dstport"), "9"));
}

static unsigned count(const char *name)
{
    unsigned n = 0;
    for (unsigned i = 0; i < packet.layer_count; i++)
        n += !strcmp(packet.layers[i].protocol->name, name);
    return n;
}

/* --- GRE --- */

Test(tunnels, gre_carries_a_datagram)
{
    TAKE(RAW, GRE(52, 0, 0), 0x08, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.proto", "0x0800");
    SAYS("gre.key", "");
}

Test(tunnels, the_words_of_gre_stand_one_behind_the_other_as_far_as_they_are_there)
{
    TAKE(RAW, GRE(60, 0x30, 0), 0x08, 0, 0, 0, 0, 7, 0, 0, 0, 9, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.checksum", "");
    SAYS("gre.key", "0x00000007");
    SAYS("gre.sequence_number", "9");
    cr_assert_str_eq(summary(2), "IPv4, key 0x00000007, seq 9");
}

Test(tunnels, a_sequence_number_alone_stands_right_behind_the_type)
{
    TAKE(RAW, GRE(56, 0x10, 0), 0x08, 0, 0, 0, 0, 9, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.sequence_number", "9");
}

Test(tunnels, the_key_of_pptp_is_a_length_and_a_call)
{
    TAKE(RAW, GRE(48, 0x30, 0x81), 0x88, 0x0b, 0, 4, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0xc0, 0x21);
    (void)p;
    SAYS("gre.key", "");
    SAYS("gre.key.payload_length", "4");
    SAYS("gre.key.call_id", "5");
    SAYS("gre.sequence_number", "1");
    SAYS("gre.ack_number", "2");
    SAYS("ppp.protocol", "0xc021");
}

Test(tunnels, flags_of_gre_without_room_for_their_words_are_broken)
{
    TAKE(RAW, GRE(28, 0xb0, 0), 0x08, 0, 0, 0, 0, 7);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("gre"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("gre.checksum", "0x0000");
    SAYS("gre.key", "");
}

Test(tunnels, gre_that_the_capture_cut_short_is_not_broken)
{
    static const uint8_t bytes[] = { GRE(60, 0x30, 0), 0x08, 0, 0, 0 };
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.link_type = RAW;
    packet.wire_length = 60;
    dissect(&packet);
    cr_assert_eq(last()->verdict, VERDICT_CUT);
}

Test(tunnels, source_routes_in_gre_without_end_are_broken)
{
    TAKE(RAW, GRE(44, 0x40, 0), 0x08, 0, 0, 0, 0, 0, 0x08, 0, 0, 0, 0x08, 0, 0, 4, 1, 2, 3, 4, 0x08, 0, 0, 0);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, source_routes_in_gre_end_with_an_empty_one)
{
    TAKE(RAW, GRE(68, 0x40, 0), 0x08, 0, 0, 0, 0, 0, 0x08, 0, 0, 4, 10, 0, 0, 3, 0, 0, 0, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.routing.information", "080000040a00000300000000");
}

Test(tunnels, wccp_may_put_a_word_of_its_own_in_front)
{
    TAKE(RAW, GRE(56, 0, 0), 0x88, 0x3e, 1, 42, 2, 3, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.wccp.service_id", "42");
}

Test(tunnels, wccp_without_that_word_is_a_datagram_at_once)
{
    TAKE(RAW, GRE(52, 0, 0), 0x88, 0x3e, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.wccp.service_id", "");
}

Test(tunnels, tunnels_nest_until_the_layers_are_used_up)
{
    uint8_t bytes[60 * 24];
    for (size_t at = 0; at < sizeof bytes; at += 24) {
        memcpy(bytes + at, (const uint8_t[]){ IPV4(0, 47), 0, 0, 0x08, 0 }, 24);
        store_be16(bytes + at + 2, (uint16_t)(sizeof bytes - at));
    }
    take(RAW, bytes, sizeof bytes);
    cr_assert_eq(packet.layer_count, LAYERS_MAX);
    cr_assert(last()->flags & LAYER_DEEP);
}

Test(tunnels, erspan_without_a_sequence_number_is_the_frame_itself)
{
    TAKE(RAW, GRE(66, 0, 0), 0x88, 0xbe, FRAME);
    (void)p;
    carries_datagram();
    cr_assert_eq(count("erspan"), 0);
}

Test(tunnels, erspan_of_type_2_has_eight_bytes)
{
    TAKE(RAW, GRE(78, 0x10, 0), 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x64, 0x38, 0x21, 0, 0, 0, 7, FRAME);
    (void)p;
    carries_datagram();
    SAYS("erspan.vlan", "100");
    SAYS("erspan.spanid", "33");
    SAYS("erspan.index", "7");
    SAYS("erspan.timestamp", "");
}

Test(tunnels, erspan_of_type_3_may_have_a_subheader)
{
    TAKE(RAW, GRE(90, 0x10, 0), 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0x64, 0, 33, 0, 0, 0, 5, 0, 9, 0x80, 1, 0x0c, 0, 0, 1, 0,
         0, 0, 0, FRAME);
    (void)p;
    carries_datagram();
    SAYS("erspan.timestamp", "5");
    SAYS("erspan.platid", "3");
}

Test(tunnels, erspan_of_another_version_is_broken)
{
    TAKE(RAW, GRE(78, 0x10, 0), 0x88, 0xbe, 0, 0, 0, 1, 0x70, 0, 0, 0, 0, 0, 0, 0, FRAME);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    cr_assert_str_eq(summary(packet.layer_count - 1u), "bad version, session 0, VLAN 0");
}

/* --- over UDP --- */

Test(tunnels, vxlan_carries_a_frame)
{
    TAKE(RAW, OVER_UDP(0x12, 0xb5, 50), 0x08, 0, 0, 0, 0, 0x12, 0x67, 0, FRAME);
    (void)p;
    carries_datagram();
    SAYS("vxlan.vni", "4711");
    SAYS("eth.dst", "02:00:00:00:00:02");
}

Test(tunnels, the_options_of_geneve_are_listed)
{
    TAKE(RAW, OVER_UDP(0x17, 0xc1, 62), 3, 0x40, 0x65, 0x58, 0, 0x12, 0x67, 0, 1, 2, 0x80, 1, 'a', 'b', 'c', 'd', 1, 2,
         3, 0, FRAME);
    (void)p;
    carries_datagram();
    SAYS("geneve.option.class", "0x0102,0x0102");
    SAYS("geneve.option.length", "8,4");
    SAYS("geneve.option.unknown.data", "61626364");
}

Test(tunnels, a_geneve_option_longer_than_the_header_is_broken_and_the_frame_is_there)
{
    TAKE(RAW, OVER_UDP(0x17, 0xc1, 54), 1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 31, FRAME);
    (void)p;
    cr_assert_eq(packet.layers[3].verdict, VERDICT_BROKEN);
    carries_datagram();
    SAYS("geneve.option.class", "0x0102");
}

Test(tunnels, geneve_options_beyond_the_datagram_are_broken)
{
    TAKE(RAW, OVER_UDP(0x17, 0xc1, 12), 63, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 0);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, gtp_carries_datagrams_behind_extension_headers)
{
    TAKE(RAW, OVER_UDP(0x08, 0x68, 44), 0x34, 255, 0, 36, 0, 0, 0xab, 0xcd, 0, 0, 0, 0x85, 1, 0x10, 5, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gtp.teid", "0x0000abcd");
    SAYS("gtp.ext_hdr.next", "0x85,0x00");
}

Test(tunnels, a_gtp_extension_header_without_length_is_broken)
{
    TAKE(RAW, OVER_UDP(0x08, 0x68, 16), 0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 0, 0, 0x85);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("gtp"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, gtp_extension_headers_without_end_are_broken)
{
    TAKE(RAW, OVER_UDP(0x08, 0x68, 16), 0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0x85);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, teredo_shows_the_address_that_it_hides)
{
    TAKE(RAW, OVER_UDP(0x0d, 0xd8, 61), 0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0x63, 0xbf, 0xf5, 0xff, 0xff, 0xfe,
         IPV6(0, 59));
    (void)p;
    SAYS("teredo.auth.nonce", "0102030405060708");
    SAYS("teredo.orig.addr", "10.0.0.1");
    SAYS("teredo.orig.port", "40000");
    SAYS("ipv6.nxt", "59");
    cr_assert_str_eq(summary(3), "Authentication, Origin indication 10.0.0.1:40000");
}

Test(tunnels, a_teredo_authentication_beyond_the_datagram_is_broken)
{
    TAKE(RAW, OVER_UDP(0x0d, 0xd8, 6), 0, 1, 255, 255, 1, 2);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

/* --- below IP --- */

Test(tunnels, a_label_stack_is_one_layer)
{
    TAKE(ETHERNET, TYPE(0x88, 0x47), 0, 1, 0x02, 64, 0, 1, 0x13, 63, DATAGRAM);
    (void)p;
    carries_datagram();
    cr_assert_eq(count("mpls"), 1);
    SAYS("mpls.label", "16,17");
    SAYS("mpls.exp", "1,1");
    SAYS("mpls.bottom", "0,1");
    SAYS("mpls.ttl", "64,63");
    cr_assert_str_eq(summary(1), "label 16 ttl 64, 17 ttl 63");
}

Test(tunnels, a_label_stack_without_bottom_is_broken)
{
    uint8_t bytes[14 + 4 * 300] = { TYPE(0x88, 0x47) };
    take(ETHERNET, bytes, sizeof bytes);
    cr_assert_eq(last()->protocol, registry_by_name("mpls"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    cr_assert_eq(last()->length, 4 * 300);
    cr_assert(strstr(summary(1), "..."));
}

Test(tunnels, a_label_stack_that_the_capture_cut_short_is_not_broken)
{
    static const uint8_t bytes[] = { TYPE(0x88, 0x47), 0, 1, 0x02, 64, 0, 1 };
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.link_type = ETHERNET;
    packet.wire_length = 60;
    dissect(&packet);
    cr_assert_eq(last()->verdict, VERDICT_CUT);
}

Test(tunnels, below_the_labels_a_pseudowire_is_known_by_its_control_word)
{
    TAKE(ETHERNET, TYPE(0x88, 0x47), 0, 1, 0x01, 64, 0, 0, 0, 7, FRAME);
    (void)p;
    carries_datagram();
    SAYS("pweth.cw.sequence_number", "7");
}

Test(tunnels, a_pppoe_session_ends_where_its_length_says)
{
    TAKE(ETHERNET, TYPE(0x88, 0x64), 0x11, 0, 0, 1, 0, 30, 0, 0x21, DATAGRAM, 'p', 'a', 'd');
    (void)p;
    carries_datagram();
    SAYS("pppoe.session_id", "0x0001");
    SAYS("data.data", "");
}

Test(tunnels, pppoe_tags_are_read_up_to_the_end_of_the_list)
{
    TAKE(ETHERNET, TYPE(0x88, 0x63), 0x11, 7, 0, 0, 0, 18, 1, 2, 0, 2, 'a', 'c', 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_WHOLE);
    SAYS("pppoed.tag", "0x0102,0x0101,0x0000");
    SAYS("pppoed.tags.ac_name", "ac");
    cr_assert_str_eq(summary(1), "Offer, by ac");
}

Test(tunnels, control_characters_in_a_pppoe_tag_are_escaped)
{
    TAKE(ETHERNET, TYPE(0x88, 0x63), 0x11, 7, 0, 0, 0, 8, 1, 2, 0, 4, 0x1b, '[', '2', 'J');
    (void)p;
    cr_assert_str_eq(summary(1), "Offer, by \\x1b[2J");
}

Test(tunnels, a_pppoe_tag_beyond_its_message_is_broken)
{
    TAKE(ETHERNET, TYPE(0x88, 0x63), 0x11, 9, 0, 0, 0, 6, 1, 1, 0xff, 0xff, 'a', 'b');
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
    SAYS("pppoed.tags.service_name", "");
}

Test(tunnels, ppp_may_leave_out_its_address_and_half_of_its_protocol)
{
    static const uint8_t whole[] = { 0xff, 3, 0, 0x21, DATAGRAM }, half[] = { 0xff, 3, 0x21, DATAGRAM },
                         bare[] = { 0, 0x21, DATAGRAM }, least[] = { 0x21, DATAGRAM };
    take(PPP, whole, sizeof whole);
    carries_datagram();
    SAYS("ppp.protocol", "0x0021");
    SAYS("ppp.address", "0xff");
    take(PPP, half, sizeof half);
    carries_datagram();
    take(PPP, bare, sizeof bare);
    carries_datagram();
    take(PPP, least, sizeof least);
    carries_datagram();
    SAYS("ppp.protocol", "0x21");
    SAYS("ppp.address", "");
}

Test(tunnels, ppp_of_one_byte_is_cut_short)
{
    for (unsigned i = 0; i < 256; i += 2) {
        uint8_t byte = (uint8_t)i;
        take(PPP, &byte, 1);
        cr_assert_eq(last()->verdict, VERDICT_CUT);
    }
}

Test(tunnels, a_direction_may_stand_in_front_of_ppp)
{
    TAKE(PPP_DIRECTION, 1, 0xff, 3, 0, 0x21, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("ppp.direction", "1");
}

Test(tunnels, a_frame_within_isl_is_the_one_whose_addresses_count)
{
    TAKE(ETHERNET, 1, 0, 0x0c, 0, 0, 0, 0x02, 0, 0, 0, 0, 9, 0, 58, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0, 200, 0, 7, 0, 0,
         FRAME, 1, 2, 3, 4);
    (void)p;
    carries_datagram();
    SAYS("eth.dst", "02:00:00:00:00:02");
    SAYS("isl.vlan_id", "100");
}

/* --- FDDI, Cisco HDLC, raw IP --- */

Test(tunnels, fddi_carries_llc)
{
    TAKE(FDDI, 0x57, MACS, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("fddi.fc", "0x57");
    SAYS("fddi.dst", "02:00:00:00:00:02");
    SAYS("fddi.src", "02:00:00:00:00:01");
    SAYS("llc.type", "0x0800");
    SAYS("fddi.fc.prio", "7");
    cr_assert_str_eq(summary(0), "LLC, asynchronous");
}

Test(tunnels, what_a_ring_says_of_itself_is_not_llc)
{
    TAKE(FDDI, 0x4f, MACS, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0, DATAGRAM);
    cr_assert_eq(p->layer_count, 2);
    cr_assert_eq(last()->protocol, &data_protocol);
}

Test(tunnels, cisco_hdlc_carries_a_datagram)
{
    TAKE(CISCO_HDLC, 0x0f, 0, 0x08, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("chdlc.address", "0x0f");
    SAYS("chdlc.protocol", "0x0800");
    cr_assert_str_eq(summary(0), "IPv4");
}

Test(tunnels, what_is_rarp_on_ethernet_is_not_on_a_serial_line)
{
    TAKE(CISCO_HDLC, 0x8f, 0, 0x80, 0x35, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0, 0);
    cr_assert_eq(p->layer_count, 2);
    cr_assert_eq(last()->protocol, &data_protocol);
    cr_assert_str_eq(summary(0), "SLARP");
}

Test(tunnels, a_cut_header_of_cisco_hdlc_is_told_as_far_as_it_goes)
{
    TAKE(CISCO_HDLC, 0x0f, 0, 0x08);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_CUT);
    SAYS("chdlc.address", "0x0f");
    SAYS("chdlc.protocol", "");
}

Test(tunnels, raw_ip_goes_by_three_numbers)
{
    static const uint16_t types[] = { RAW, 12, 14 };
    static const uint8_t bytes[] = { DATAGRAM };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        take(types[i], bytes, sizeof bytes);
        carries_datagram();
    }
}

/* --- more tunnels --- */

Test(tunnels, l2tp_carries_ppp_behind_as_much_as_its_flags_say)
{
    TAKE(RAW, OVER_UDP(6, 0xa5, 48), 0x4a, 2, 0, 48, 0, 1, 0, 2, 0, 5, 0, 6, 0, 2, 0, 0, 0xff, 3, 0, 0x21, DATAGRAM, 9,
         9);
    (void)p;
    carries_datagram();
    SAYS("l2tp.tunnel", "1");
    SAYS("l2tp.session", "2");
    SAYS("l2tp.Ns", "5");
    SAYS("l2tp.offset", "2");
    cr_assert_str_eq(summary(3), "data, tunnel 1, session 2");
}

Test(tunnels, a_message_that_controls_l2tp_carries_nothing)
{
    TAKE(RAW, OVER_UDP(6, 0xa5, 12), 0xc8, 2, 0, 12, 0, 1, 0, 2, 0, 5, 0, 6);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("l2tp"));
    cr_assert_str_eq(summary(3), "control, tunnel 1, session 2");
}

Test(tunnels, an_offset_of_l2tp_beyond_the_packet_is_broken)
{
    TAKE(RAW, OVER_UDP(6, 0xa5, 8), 0x02, 2, 0, 1, 0, 2, 0xff, 0xff);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("l2tp"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, the_generic_vxlan_says_what_it_carries)
{
    TAKE(RAW, OVER_UDP(0x12, 0xb6, 36), 0x0c, 0, 0, 1, 0, 0, 7, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("vxlan.vni", "7");
    SAYS("vxlan.next_proto", "1");
}

Test(tunnels, gre_acknowledges_only_where_it_carries_ppp)
{
    TAKE(RAW, GRE(52, 0, 0x81), 0x08, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("gre.ack_number", "");
}

Test(tunnels, the_labels_of_management_carry_no_packet)
{
    TAKE(ETHERNET, TYPE(0x88, 0x47), 0, 0, 0xe1, 64, DATAGRAM);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("data"));
}

Test(tunnels, what_a_phone_sends_may_be_ethernet)
{
    TAKE(RAW, OVER_UDP(8, 0x68, 50), 0x30, 255, 0, 42, 0, 0, 0, 1, FRAME);
    (void)p;
    carries_datagram();
    cr_assert_eq(count("eth"), 1u);
}

Test(tunnels, messages_for_charging_carry_no_datagram)
{
    TAKE(RAW, OVER_UDP(8, 0x68, 36), 0x20, 255, 0, 28, 0, 0, 0, 1, DATAGRAM);
    (void)p;
    cr_assert_eq(count("ip"), 1u);
}

Test(tunnels, cisco_hdlc_carries_no_tags)
{
    TAKE(CISCO_HDLC, 0x0f, 0, 0x81, 0, 0, 5, 8, 0, DATAGRAM);
    (void)p;
    SAYS("vlan.id", "");
    SAYS("ip.version", "");
}

Test(tunnels, bridged_frames_stand_behind_two_bytes_of_padding)
{
    TAKE(ETHERNET, MACS, 0, 52, 0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0, FRAME);
    (void)p;
    carries_datagram();
    SAYS("llc.pid", "0x0007");
    SAYS("eth.type", "0x0800");
}

Test(tunnels, an_authentication_header_of_the_first_kind_has_no_number)
{
    TAKE(RAW, IPV4(36, 51), 17, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0, 9, 0, 8, 0, 0);
    (void)p;
    carries_datagram();
    SAYS("ah.spi", "0x00000001");
    SAYS("ah.sequence", "");
}

/* --- link layers of logs, serial lines and the air --- */

Test(tunnels, frame_relay_says_by_an_identifier_what_it_carries)
{
    TAKE(FRAME_RELAY, 0x18, 0x41, 3, 0xcc, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("fr.dlci", "100");
    SAYS("fr.nlpid", "0xcc");
    cr_assert_str_eq(summary(0), "DLCI 100");
}

Test(tunnels, frame_relay_with_snap_carries_what_ethernet_does)
{
    TAKE(FRAME_RELAY, 0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0, DATAGRAM);
    (void)p;
    carries_datagram();
}

Test(tunnels, frame_relay_bridges_frames)
{
    TAKE(FRAME_RELAY, 0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7, FRAME);
    (void)p;
    carries_datagram();
}

Test(tunnels, cisco_writes_a_type_behind_the_address)
{
    TAKE(FRAME_RELAY, 0x18, 0x41, 8, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("fr.nlpid", "");
}

Test(tunnels, a_numbered_frame_of_osi_protocols_is_not_taken_for_ethernet)
{
    TAKE(FRAME_RELAY, 0x18, 0x41, 0x22, 0, 0x82, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, DATAGRAM);
    cr_assert_eq(p->layer_count, 2);
    SAYS("eth.type", "");
    take(FRAME_RELAY, (uint8_t[]){ 0x18, 0x41, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, DATAGRAM },
         16 + sizeof(uint8_t[]){ DATAGRAM });
    carries_datagram();
}

Test(tunnels, addresses_of_frame_relay_have_up_to_four_bytes)
{
    TAKE(FRAME_RELAY, 0x04, 0x10, 0x02, 0x05, 3, 0xcc, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("fr.dlci", "139329");
}

Test(tunnels, an_address_of_frame_relay_that_ends_at_once_is_broken)
{
    TAKE(FRAME_RELAY, 0xff, 0xff, 3, 0xcc, DATAGRAM);
    (void)p;
    cr_assert_eq(packet.layers[0].verdict, VERDICT_BROKEN);
    SAYS("ip.version", "");
}

Test(tunnels, the_log_of_linux_holds_the_packet_among_its_attributes)
{
    TAKE(NFLOG, 2, 0, 0, 5, 7, 0, 10, 0, 'a', 'b', 0, 0, 32, 0, 9, 0, DATAGRAM, 8, 0, 11, 0, 0, 0, 0, 0);
    (void)p;
    carries_datagram();
    cr_assert_eq(last()->end, 44u);
    cr_assert_str_eq(summary(0), "family 2, group 5");
}

Test(tunnels, the_log_of_linux_may_be_written_in_network_order_and_name_a_type)
{
    TAKE(NFLOG, 0, 0, 0, 5, 0, 8, 0, 1, 8, 0, 1, 0, 0, 32, 0, 9, DATAGRAM);
    (void)p;
    carries_datagram();
}

Test(tunnels, an_attribute_without_length_ends_the_log)
{
    TAKE(NFLOG, 2, 0, 0, 5, 0, 0, 0, 0, 32, 0, 9, 0, DATAGRAM);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("nflog"));
}

Test(tunnels, openbsd_shows_what_ipsec_carries)
{
    TAKE(ENC, 0, 0, 0, 2, 0, 0, 1, 2, 0, 0, 0x0c, 0, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("enc.af", "2");
    SAYS("enc.spi", "0x00000102");
}

#define PACKET_FILTER(length)                                                                                          \
    length, 2, 1, 0, 'e', 'm', '0', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   \
        0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0

Test(tunnels, the_log_of_the_packet_filter_is_padded_to_words)
{
    TAKE(PFLOG, PACKET_FILTER(45), DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("pflog.ifname", "em0");
    cr_assert_str_eq(summary(0), "dropped by rule 3");
}

Test(tunnels, a_log_shorter_than_any_is_broken)
{
    TAKE(PFLOG, PACKET_FILTER(8), DATAGRAM);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("pflog"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

#define AIR(control, flags, sequence) control, flags, 0x2c, 0, MACS, 2, 0, 0, 0, 0, 3, sequence, 0
#define LLC                           0xaa, 0xaa, 3, 0, 0, 0, 8, 0

Test(tunnels, data_on_the_air_is_llc)
{
    TAKE(WLAN, AIR(8, 1, 0x10), LLC, DATAGRAM);
    (void)p;
    carries_datagram();
    SAYS("wlan.ra", "02:00:00:00:00:02");
}

Test(tunnels, data_with_quality_and_four_addresses_stands_further_behind)
{
    TAKE(WLAN, AIR(0x88, 0x83, 0x10), 2, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, LLC, DATAGRAM);
    (void)p;
    carries_datagram();
}

Test(tunnels, of_an_aggregate_the_first_frame_is_shown)
{
    TAKE(WLAN, AIR(0x88, 1, 0x10), 0x80, 0, MACS, 0, 36, LLC, DATAGRAM, 1, 2, 3, 4);
    (void)p;
    carries_datagram();
}

Test(tunnels, what_is_encrypted_or_a_piece_or_none_is_not_looked_into)
{
    static const uint8_t frames[][38] = {
        { AIR(8, 0x41, 0x10), LLC }, { AIR(8, 5, 0x10), LLC },    { AIR(8, 1, 0x11), LLC },
        { AIR(0x48, 1, 0x10), LLC }, { AIR(0x80, 0, 0x10), LLC }, { AIR(0xb4, 0, 0x10), LLC },
    };
    for (unsigned i = 0; i < sizeof frames / sizeof *frames; i++) {
        take(WLAN, frames[i], sizeof frames[i]);
        cr_assert_eq(count("llc"), 0u, "frame %u", i);
    }
}

Test(tunnels, radiotap_tells_of_a_checksum_behind_the_frame_and_of_padding_in_it)
{
    static const uint8_t aligned[] = {
        0, 0, 17, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x30, AIR(0x88, 1, 0x10), 0, 0, 0, 0, LLC, DATAGRAM, 1, 2, 3, 4
    };
    take(RADIOTAP, aligned, sizeof aligned);
    carries_datagram();
    SAYS("radiotap.flags", "0x30");
    cr_assert_eq(packet.layers[1].end, sizeof aligned - 4);
    cr_assert_eq(last()->flags, 0);
}

Test(tunnels, the_words_of_radiotap_go_on_as_long_as_they_say)
{
    TAKE(RADIOTAP, 0, 0, 13, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0x10, AIR(8, 1, 0x10), LLC, DATAGRAM, 1, 2, 3, 4);
    (void)p;
    carries_datagram();
    cr_assert_eq(packet.layers[1].end, sizeof bytes - 4);
}

Test(tunnels, a_radiotap_header_shorter_than_any_is_broken)
{
    TAKE(RADIOTAP, 0, 0, 4, 0, 0, 0, 0, 0, AIR(8, 1, 0x10), LLC, DATAGRAM);
    (void)p;
    cr_assert_eq(last()->protocol, registry_by_name("radiotap"));
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, the_elders_of_radiotap_tell_their_length_in_either_order)
{
    static const uint8_t prism[] = { 0x44, 0, 0, 0, 12, 0, 0, 0, 1, 2, 3, 4, AIR(8, 1, 0x10), LLC, DATAGRAM };
    static const uint8_t avs[] = { 0x80, 0x21, 0x10, 1, 0, 0, 0, 12, 1, 2, 3, 4, AIR(8, 1, 0x10), LLC, DATAGRAM };
    take(PRISM, prism, sizeof prism);
    carries_datagram();
    take(PRISM, avs, sizeof avs);
    carries_datagram();
    take(AVS, avs, sizeof avs);
    carries_datagram();
    SAYS("wlancap.length", "12");
}

Test(tunnels, an_elder_longer_than_the_packet_is_broken)
{
    TAKE(AVS, 0x80, 0x21, 0x10, 1, 0xff, 0, 0, 12, 1, 2, 3, 4);
    (void)p;
    cr_assert_eq(last()->verdict, VERDICT_BROKEN);
}

Test(tunnels, cooked_captures_of_other_interfaces_hold_their_frames)
{
    enum { COOKED = 113 };
    static const uint8_t relay[] = {
        0, 0, 0x03, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 0x41, 3, 0xcc, DATAGRAM
    };
    static const uint8_t frame[] = { 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, FRAME };
    take(COOKED, relay, sizeof relay);
    carries_datagram();
    take(COOKED, frame, sizeof frame);
    carries_datagram();
    static const uint8_t radio[] = {
        0, 0, 0x03, 0x23, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 8, 0, 0, 0, 0, 0, AIR(8, 1, 0x10), LLC, DATAGRAM
    };
    take(COOKED, radio, sizeof radio);
    carries_datagram();
}
