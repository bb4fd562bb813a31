/* Transmission Control Protocol (RFC 9293), with window scale and timestamps (RFC 7323), selective acknowledgement
 * (RFC 2018), Fast Open (RFC 7413) and ECN (RFC 3168, accurate ECN's AE bit RFC 9768). */
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include <stddef.h>

enum {
    HEADER = 20,
    TO_WINDOW = 16, /* what a header that is cut short must have to be more than ports */
    TO_LENGTH = 13, /* what is shown of one whose length is none */
    SYN = 2,
    ACK = 16,
    EPHEMERAL = 49152 /* RFC 6335, 6 */
};

static bool payload_length(const struct place *place, struct value *value);
static bool quoted_number(const struct place *place, struct value *value);
static bool quoted_whole(const struct place *place, struct value *value);
static bool checksum_status(const struct place *place, struct value *value);
static bool checksum_left_to_interface(const struct place *place, struct value *value);
static bool scale_multiplier(const struct place *place, struct value *value);
static uint64_t relative_to_ack(const struct place *place, uint64_t wire);

static const struct field option_common[] = {
    { "tcp.option_kind", N_("Kind"), FIELD_UINT, BYTE(0, 1) },
    { "tcp.option_len", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field option_mss[] = {
    { "tcp.options.mss_val", N_("MSS Value"), FIELD_UINT, BYTE(2, 2) },
    { 0 },
};
static const struct field option_scale[] = {
    { "tcp.options.wscale.shift", N_("Shift count"), FIELD_UINT, BYTE(2, 1) },
    { "tcp.options.wscale.multiplier", N_("Multiplier"), FIELD_UINT, .flags = FIELD_OWN, .read = scale_multiplier },
    { 0 },
};
static const struct field option_sack_permitted[] = {
    { "tcp.options.sack_perm", N_("SACK permitted"), FIELD_NONE, BYTE(0, 2) },
    { 0 },
};
static const struct field option_sack[] = {
    { "tcp.options.sack_le", N_("Left edge"), FIELD_UINT, BYTE(2, 4), .stride = 8, .flags = FIELD_TRACKED,
      .adjust = relative_to_ack },
    { "tcp.options.sack_re", N_("Right edge"), FIELD_UINT, BYTE(6, 4), .stride = 8, .flags = FIELD_TRACKED,
      .adjust = relative_to_ack },
    { 0 },
};
static const struct field option_timestamps[] = {
    { "tcp.options.timestamp.tsval", N_("Timestamp value"), FIELD_UINT, BYTE(2, 4) },
    { "tcp.options.timestamp.tsecr", N_("Timestamp echo reply"), FIELD_UINT, BYTE(6, 4) },
    { 0 },
};
static const struct field option_md5[] = {
    { "tcp.options.md5.digest", N_("MD5 digest"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field option_user_timeout[] = {
    { "tcp.options.user_to_granularity", N_("Minutes"), FIELD_BOOL, BITS(16, 1) },
    { "tcp.options.user_to_val", N_("User Timeout"), FIELD_UINT, BITS(17, 15) },
    { 0 },
};
static const struct field option_authentication[] = {
    { "tcp.options.ao.keyid", N_("Key ID"), FIELD_UINT, BYTE(2, 1) },
    { "tcp.options.ao.rnextkeyid", N_("Next Key ID wanted"), FIELD_UINT, BYTE(3, 1) },
    { "tcp.options.ao.mac", N_("MAC"), FIELD_BYTES, TO_END(4) },
    { 0 },
};
static const struct field option_mptcp[] = {
    { "tcp.options.mptcp.subtype", N_("Subtype"), FIELD_UINT, BITS(16, 4) },
    { "tcp.options.mptcp.flags", N_("Flags"), FIELD_UINT, BITS(20, 4), .base = BASE_HEX, .flags = FIELD_HIDDEN },
    { "tcp.options.mptcp.data", N_("Data"), FIELD_BYTES, TO_END(3) },
    { 0 },
};
static const struct field option_fast_open[] = {
    { "tcp.options.tfo.cookie", N_("Fast Open Cookie"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field option_other[] = {
    { "tcp.options.unknown.payload", N_("Data"), FIELD_BYTES, TO_END(2) },
    { 0 },
};

enum {
    KIND_END,
    KIND_NOP,
    KIND_MSS,
    KIND_SCALE,
    KIND_SACK_PERMITTED,
    KIND_SACK,
    KIND_TIMESTAMPS = 8,
    KIND_FAST_OPEN = 34
};

static const struct tlv options[] = {
    { KIND_END, "End of Option List", .alone = true, .stop = true, .name = "eol" },
    { KIND_NOP, "No-Operation", .alone = true, .name = "nop" },
    { KIND_MSS, "Maximum Segment Size", option_mss, .exact = 4, .name = "mss" },
    { KIND_SCALE, "Window Scale", option_scale, .exact = 3, .name = "wscale" },
    { KIND_SACK_PERMITTED, "SACK Permitted", option_sack_permitted, .name = "sack_perm" },
    { KIND_SACK, "SACK", option_sack },
    { KIND_TIMESTAMPS, "Timestamps", option_timestamps, .exact = 10, .name = "timestamp" },
    { 19, "MD5 Signature", option_md5, .name = "md5" },            /* RFC 2385 */
    { 28, "User Timeout", option_user_timeout },                   /* RFC 5482 */
    { 29, "Authentication", option_authentication, .name = "ao" }, /* RFC 5925 */
    { 30, "Multipath TCP", option_mptcp, .name = "mptcp" },        /* RFC 8684 */
    { 34, "Fast Open Cookie", option_fast_open, .name = "tfo" },   /* RFC 7413 */
    { 0xffff, "Unknown", option_other },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 1, .length_size = 1, .unit = 1, .included = 2, .common = option_common, .kinds = options
};

static const struct field fields[] = {
    { "tcp.srcport", N_("Source Port"), FIELD_UINT, BYTE(0, 2), .preset = EPHEMERAL, HOT(tcp_srcport),
      .also = "tcp.port", .needs = 4 },
    { "tcp.dstport", N_("Destination Port"), FIELD_UINT, BYTE(2, 2), .role = ROLE_NEXT, HOT(tcp_dstport),
      .also = "tcp.port", .needs = 4 },
    { "tcp.stream", N_("Stream index"), FIELD_UINT, NOTE(stream, NOTE_STREAM) },
    { "tcp.len", N_("TCP Segment Len"), FIELD_UINT, .never = LAYER_QUOTED | LAYER_FRAGMENT, .read = payload_length },
    { "tcp.seq", N_("Sequence Number"), FIELD_UINT, NOTE(seq, NOTE_SEQ), .never = LAYER_QUOTED },
    { "tcp.seq_raw", N_("Sequence Number (raw)"), FIELD_UINT, BYTE(4, 4), .never = LAYER_QUOTED, HOT(tcp_seq),
      .needs = TO_LENGTH },
    { "tcp.seq", N_("Sequence Number"), FIELD_UINT, BYTE(4, 4), .only = LAYER_QUOTED, .read = quoted_number },
    { "tcp.seq_raw", N_("Sequence Number (raw)"), FIELD_UINT, BYTE(4, 4), .only = LAYER_QUOTED, .read = quoted_whole },
    { "tcp.nxtseq", N_("Next Sequence Number"), FIELD_UINT, NOTE(next_seq, NOTE_SEQ) },
    { "tcp.ack", N_("Acknowledgment Number"), FIELD_UINT, NOTE(ack, NOTE_ACK) },
    { "tcp.ack_raw", N_("Acknowledgment Number (raw)"), FIELD_UINT, BYTE(8, 4), HOT(tcp_ack), .needs = 16 },
    { "tcp.hdr_len", N_("Header Length"), FIELD_UINT, BITS(96, 4), .unit = 4, .role = ROLE_LENGTH,
      .counts = COUNTS_HEADER, .needs = TO_LENGTH },
    { "tcp.flags", N_("Flags"), FIELD_UINT, BITS(100, 12), .base = BASE_HEX, .preset = SYN, HOT(tcp_flags),
      .needs = 16 },
    { "tcp.flags.res", N_("Reserved"), FIELD_BOOL, BITS(100, 3), .needs = 16 },
    { "tcp.flags.ae", N_("Accurate ECN"), FIELD_BOOL, BITS(103, 1), .letter = 'X', .needs = 16 },
    { "tcp.flags.cwr", N_("Congestion Window Reduced"), FIELD_BOOL, BITS(104, 1), .letter = 'C', .needs = 16 },
    { "tcp.flags.ece", N_("ECN-Echo"), FIELD_BOOL, BITS(105, 1), .letter = 'E', .needs = 16 },
    { "tcp.flags.urg", N_("Urgent"), FIELD_BOOL, BITS(106, 1), .letter = 'U', .needs = 16 },
    { "tcp.flags.ack", N_("Acknowledgment"), FIELD_BOOL, BITS(107, 1), .letter = 'A', .needs = 16 },
    { "tcp.flags.push", N_("Push"), FIELD_BOOL, BITS(108, 1), .letter = 'P', .needs = 16 },
    { "tcp.flags.reset", N_("Reset"), FIELD_BOOL, BITS(109, 1), .letter = 'R', .needs = 16 },
    { "tcp.flags.syn", N_("Syn"), FIELD_BOOL, BITS(110, 1), .letter = 'S', .needs = 16 },
    { "tcp.flags.fin", N_("Fin"), FIELD_BOOL, BITS(111, 1), .letter = 'F', .needs = 16 },
    { "tcp.window_size_value", N_("Window"), FIELD_UINT, BYTE(14, 2), .preset = 0xffff, HOT(tcp_window) },
    { "tcp.window_size", N_("Calculated window size"), FIELD_UINT, NOTE(window, NOTE_WINDOW) },
    { "tcp.window_size_scalefactor", N_("Window size scaling factor"), FIELD_INT, NOTE(scale, NOTE_WINDOW_SCALE) },
    { "tcp.checksum", N_("Checksum"), FIELD_UINT, BYTE(16, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM,
      .counts = COUNTS_PSEUDO },
    { "tcp.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names },
    { "tcp.checksum.offloaded", N_("Left to the interface"), FIELD_BOOL, .read = checksum_left_to_interface },
    { "tcp.urgent_pointer", N_("Urgent Pointer"), FIELD_UINT, BYTE(18, 2) },
    { "tcp.options", N_("Options"), FIELD_TLVS, TO_END(20), .tlvs = &option_set },
    { "tcp.time_relative", N_("Time since first frame in this stream"), FIELD_DURATION,
      NOTE(time_relative, NOTE_TIME_RELATIVE) },
    { "tcp.time_delta", N_("Time since previous frame in this stream"), FIELD_DURATION,
      NOTE(time_delta, NOTE_TIME_DELTA) },
    { "tcp.analysis.acks_frame", N_("This is an ACK to the segment in packet"), FIELD_UINT,
      NOTE(acks_frame, NOTE_ACKS_FRAME) },
    { "tcp.analysis.ack_rtt", N_("The round trip to this ACK took"), FIELD_DURATION, NOTE(ack_rtt, NOTE_ACK_RTT) },
    { "tcp.analysis.initial_rtt", N_("The round trip of the handshake took"), FIELD_DURATION,
      NOTE(initial_rtt, NOTE_INITIAL_RTT) },
    { "tcp.analysis.bytes_in_flight", N_("Bytes in flight"), FIELD_UINT, NOTE(bytes_in_flight, NOTE_BYTES_IN_FLIGHT) },
    { "tcp.analysis.push_bytes_sent", N_("Bytes sent since the last push"), FIELD_UINT,
      NOTE(push_bytes_sent, NOTE_PUSH_BYTES_SENT) },
    { "tcp.analysis.retransmission", N_("Sent again"), FIELD_NONE, NOTE(have, NOTE_RETRANSMISSION) },
    { "tcp.analysis.fast_retransmission", N_("Sent again because of duplicate ACKs"), FIELD_NONE,
      NOTE(have, NOTE_FAST_RETRANSMISSION) },
    { "tcp.analysis.spurious_retransmission", N_("Sent again although acknowledged"), FIELD_NONE,
      NOTE(have, NOTE_SPURIOUS_RETRANSMISSION) },
    { "tcp.analysis.rto", N_("Sent again after"), FIELD_DURATION, NOTE(rto, NOTE_RTO) },
    { "tcp.analysis.rto_frame", N_("First sent in packet"), FIELD_UINT, NOTE(rto_frame, NOTE_RTO_FRAME) },
    { "tcp.analysis.out_of_order", N_("Out of order"), FIELD_NONE, NOTE(have, NOTE_OUT_OF_ORDER) },
    { "tcp.analysis.lost_segment", N_("A segment before this one was not captured"), FIELD_NONE,
      NOTE(have, NOTE_LOST_SEGMENT) },
    { "tcp.analysis.ack_lost_segment", N_("Acknowledges a segment that was not captured"), FIELD_NONE,
      NOTE(have, NOTE_ACK_LOST_SEGMENT) },
    { "tcp.analysis.duplicate_ack", N_("Duplicate ACK"), FIELD_NONE, NOTE(have, NOTE_DUPLICATE_ACK) },
    { "tcp.analysis.duplicate_ack_num", N_("Duplicate ACK number"), FIELD_UINT,
      NOTE(duplicate_ack_num, NOTE_DUPLICATE_ACK) },
    { "tcp.analysis.duplicate_ack_frame", N_("Duplicate of the ACK in packet"), FIELD_UINT,
      NOTE(duplicate_ack_frame, NOTE_DUPLICATE_ACK) },
    { "tcp.analysis.keep_alive", N_("Keep-alive"), FIELD_NONE, NOTE(have, NOTE_KEEP_ALIVE) },
    { "tcp.analysis.keep_alive_ack", N_("ACK of a keep-alive"), FIELD_NONE, NOTE(have, NOTE_KEEP_ALIVE_ACK) },
    { "tcp.analysis.zero_window", N_("Window is closed"), FIELD_NONE, NOTE(have, NOTE_ZERO_WINDOW) },
    { "tcp.analysis.zero_window_probe", N_("Probe of a closed window"), FIELD_NONE,
      NOTE(have, NOTE_ZERO_WINDOW_PROBE) },
    { "tcp.analysis.zero_window_probe_ack", N_("ACK of a probe of a closed window"), FIELD_NONE,
      NOTE(have, NOTE_ZERO_WINDOW_PROBE_ACK) },
    { "tcp.analysis.window_update", N_("Window update"), FIELD_NONE, NOTE(have, NOTE_WINDOW_UPDATE) },
    { "tcp.analysis.window_full", N_("Fills the window"), FIELD_NONE, NOTE(have, NOTE_WINDOW_FULL) },
    { "tcp.analysis.reused_ports", N_("Addresses and ports of an earlier connection"), FIELD_NONE,
      NOTE(have, NOTE_REUSED_PORTS) },
    { 0 },
};

/* ICMP need not quote more of a segment than ends with its sequence number (RFC 792); ICMPv6 quotes as much as it can
 * (RFC 4443, 3), so that there a header says its number as any other does: with the length that tells that it is one.
 */
static bool read_quoted(const struct place *place, struct value *value, size_t least)
{
    if (place->bytes.left < least)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, 4, 4), .bit = 32, .width = 32 };
    value->u = load_be32(value->bytes.at);
    return true;
}

static bool by_icmpv6(const struct place *place)
{
    const struct network *network = layer_network(place->packet, place->layer);
    return network && network->size == 16;
}

static bool quoted_number(const struct place *place, struct value *value)
{
    return read_quoted(place, value, by_icmpv6(place) ? TO_LENGTH : 8);
}

static bool quoted_whole(const struct place *place, struct value *value)
{
    return by_icmpv6(place) && read_quoted(place, value, TO_LENGTH);
}

static bool payload_length(const struct place *place, struct value *value)
{
    if (place->bytes.left < TO_LENGTH)
        return false;
    uint32_t all = place->layer->end - place->layer->offset, header = (place->bytes.at[12] >> 4) * 4u;
    value->u = all - header;
    return all >= header;
}

static bool checksum_status(const struct place *place, struct value *value)
{
    if (place->bytes.left < 18)
        return false;
    value->u = checksum_verify(place->packet, place->layer, 6);
    return true;
}

static bool checksum_left_to_interface(const struct place *place, struct value *value)
{
    value->u =
        place->bytes.left >= 18 && checksum_offloaded(place->packet, place->layer, 6, load_be16(place->bytes.at + 16));
    return value->u;
}

/* The blocks count as the acknowledgement does: relative to where the other end began, where that is known. */
static uint64_t relative_to_ack(const struct place *place, uint64_t wire)
{
    const struct note *note = layer_note(place->packet, place->layer);
    if (!note || !(note->have >> NOTE_ACK & 1))
        return wire;
    struct span h = layer_header(place->packet, place->layer);
    return h.left < HEADER ? wire : (uint32_t)(wire - (load_be32(h.at + 8) - note->ack));
}

/* RFC 7323, 2.3: a shift beyond 14 counts as 14. */
static bool scale_multiplier(const struct place *place, struct value *value)
{
    if (place->bytes.left < 3)
        return false;
    unsigned shift = place->bytes.at[2];
    value->u = UINT64_C(1) << (shift > 14 ? 14 : shift);
    return true;
}

/* Length and verdict of a header of which less than HEADER bytes are there. */
static enum verdict measure_cut(struct layer *self, const struct span *in)
{
    self->length = (uint32_t)in->left;
    if (in->left < TO_LENGTH)
        return VERDICT_CUT;
    bool bad = in->left >= TO_WINDOW && (in->at[12] >> 4) * 4 < HEADER;
    if (bad || in->left < TO_WINDOW)
        self->length = bad ? TO_LENGTH : TO_LENGTH - 1;
    return bad ? VERDICT_BROKEN : VERDICT_CUT;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_peek(in, HEADER);
    if (!h) {
        packet->again |= HOT_TCP;
        return measure_cut(self, in);
    }
    uint32_t header = (h[12] >> 4) * 4u;
    bool first = !(packet->have & HOT_TCP);
    if (!first || self->flags & LAYER_QUOTED)
        packet->again |= HOT_TCP; /* quoted headers show fewer fields */
    if (first) {
        packet->have |= HOT_TCP;
        packet->tcp_srcport = load_be16(h);
        packet->tcp_dstport = load_be16(h + 2);
        packet->tcp_seq = load_be32(h + 4);
        packet->tcp_ack = load_be32(h + 8);
        packet->tcp_flags = load_be16(h + 12) & 0xfff;
        packet->tcp_window = load_be16(h + 14);
    }
    if (header < HEADER || self->offset + header > self->end) {
        if (header < HEADER)
            packet->again |= HOT_TCP; /* nothing behind its length is shown */
        self->length = header < HEADER ? TO_LENGTH : (uint32_t)in->left;
        return VERDICT_BROKEN;
    }
    self->length = header < in->left ? header : (uint32_t)in->left;
    span_pull(in, self->length);
    if (self->length < header)
        return VERDICT_CUT;
    if (first)
        packet->tcp_length = self->end - self->offset - header;
    *next = (struct key){ KEY_TCP_PORT, load_be16(h + 2), load_be16(h) };
    return VERDICT_WHOLE;
}

/* The five flags of everyday, in the order that people say them. */
static const struct {
    char text[24];
    uint8_t length;
} flag_texts[32] = {
    { "[]", 2 },
    { "[FIN]", 5 },
    { "[SYN]", 5 },
    { "[SYN FIN]", 9 },
    { "[RST]", 5 },
    { "[FIN RST]", 9 },
    { "[SYN RST]", 9 },
    { "[SYN FIN RST]", 13 },
    { "[PSH]", 5 },
    { "[FIN PSH]", 9 },
    { "[SYN PSH]", 9 },
    { "[SYN FIN PSH]", 13 },
    { "[RST PSH]", 9 },
    { "[FIN RST PSH]", 13 },
    { "[SYN RST PSH]", 13 },
    { "[SYN FIN RST PSH]", 17 },
    { "[ACK]", 5 },
    { "[FIN ACK]", 9 },
    { "[SYN ACK]", 9 },
    { "[SYN FIN ACK]", 13 },
    { "[RST ACK]", 9 },
    { "[FIN RST ACK]", 13 },
    { "[SYN RST ACK]", 13 },
    { "[SYN FIN RST ACK]", 17 },
    { "[PSH ACK]", 9 },
    { "[FIN PSH ACK]", 13 },
    { "[SYN PSH ACK]", 13 },
    { "[SYN FIN PSH ACK]", 17 },
    { "[RST PSH ACK]", 13 },
    { "[FIN RST PSH ACK]", 17 },
    { "[SYN RST PSH ACK]", 17 },
    { "[SYN FIN RST PSH ACK]", 21 },
};

static char *put_flags(char *at, uint16_t flags)
{
    static const char names[7][4] = { "URG", "ECE", "CWR", "AE", "R1", "R2", "R3" };
    memcpy(at, flag_texts[flags & 31].text, 24);
    at += flag_texts[flags & 31].length;
    if (flags >> 5 == 0)
        return at;
    at--; /* the bracket */
    for (unsigned i = 0; i < 7; i++) {
        if (!(flags >> (i + 5) & 1))
            continue;
        if (at[-1] != '[')
            *at++ = ' ';
        memcpy(at, names[i], 4);
        at += names[i][2] ? 3 : 2;
    }
    *at++ = ']';
    return at;
}

/* A name of at most 8 bytes, spaces included, and a number. */
#define PUT(at, name, number) write_decimal((char *)memcpy((at), (name), sizeof(name) - 1) + sizeof(name) - 1, (number))

static void write_options(struct span run, struct buffer *out)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option)) {
        const uint8_t *o = option.bytes.at;
        size_t n = option.bytes.left;
        char *at = buffer_room(out, 64);
        if (option.broken)
            buffer_text(out, " bad option");
        else if (option.tlv->kind == KIND_MSS && n >= 4)
            out->at = PUT(at, " mss ", load_be16(o + 2));
        else if (option.tlv->kind == KIND_SCALE && n >= 3)
            out->at = PUT(at, " wscale ", o[2]);
        else if (option.tlv->kind == KIND_SACK_PERMITTED)
            buffer_put(out, " sack", 5);
        else if (option.tlv->kind == KIND_TIMESTAMPS)
            buffer_put(out, " ts", 3);
        else if (option.tlv->kind == KIND_FAST_OPEN)
            buffer_put(out, " tfo", 4);
    }
}

/* The blocks relative to the numbers that the line shows: base is what was subtracted from the acknowledgement. */
static void write_sack(struct span run, uint32_t base, struct buffer *out)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option)) {
        if (option.broken || option.tlv->kind != KIND_SACK)
            continue;
        for (size_t i = 2; i + 8 <= option.bytes.left; i += 8) {
            char *at = buffer_room(out, 64);
            uint32_t left = load_be32(option.bytes.at + i) - base, right = load_be32(option.bytes.at + i + 4) - base;
            at = i == 2 ? PUT(at, " sack ", left) : PUT(at, ",", left);
            out->at = PUT(at, "-", right);
        }
    }
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER)
        return;
    const struct note *note = layer_note(packet, layer);
    uint64_t have = note ? note->have : 0;
    uint16_t flags = load_be16(h.at + 12) & 0xfff;
    uint32_t raw_ack = load_be32(h.at + 8), ack = have >> NOTE_ACK & 1 ? note->ack : raw_ack;
    uint32_t length = layer_payload_length(layer);
    char *at = put_flags(buffer_room(out, 256), flags);
    at = PUT(at, " seq ", have >> NOTE_SEQ & 1 ? note->seq : load_be32(h.at + 4));
    if (flags & ACK)
        at = PUT(at, " ack ", ack);
    at = PUT(at, " win ", have >> NOTE_WINDOW & 1 ? note->window : load_be16(h.at + 14));
    if (length)
        at = PUT(at, " len ", length);
    out->at = at;
    struct span run = { h.at + HEADER, h.left - HEADER };
    if (flags & SYN)
        write_options(run, out);
    else if (h.left > 32) /* more than the two NOPs and timestamps of every segment */
        write_sack(run, raw_ack - ack, out);
}

static const struct key keys[] = { { KEY_IP, 6, 0 }, { 0 } };

const struct protocol tcp_protocol = {
    .name = "tcp",
    .label = "TCP",
    .title = N_("Transmission Control Protocol"),
    .rfc = "RFC 9293",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .hot = HOT_TCP,
    .carries = KEY_TCP_PORT,
    .dissect = dissect,
    .summary = summary,
};
