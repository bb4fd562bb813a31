/* Domain Name System (RFC 1035), and the two that borrow its messages for the local link: multicast DNS (RFC 6762) and
 * LLMNR (RFC 4795). A message is a header and four sections of records. A name in it may end in a pointer to an earlier
 * one, so names are spelled out into scratch; following pointers only backwards ends every one of them. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    HEADER = 12,
    PREFIX = 2, /* over TCP: the message's length, RFC 1035, 4.2.2 */
    OVER_STREAM = LAYER_TOLD_1,
    QUESTION_TAIL = 4, /* type and class behind a question's name; */
    RECORD_TAIL = 10,  /* with time to live and length behind a record's: RFC 1035, 4.1 */
    DATA = 8,          /* from the class on, where the data begin */
    SECTIONS = 4,
    QUESTIONS = 0,
    ANSWERS = 1,
    LABEL_MOST = 63,
    TEXT_MOST = 255,                      /* RFC 1035, 2.3.4: no name takes more; a longer one is none */
    SPELLED = TEXT_MOST + LABEL_MOST + 2, /* room to spell a name in: labels are copied at their longest */
    JUMPS_MOST = 16,
    POINTER = 0xc0,
    RESPONSE = 0x8000,
};
enum type {
    A = 1,
    NS = 2,
    CNAME = 5,
    SOA = 6,
    PTR = 12,
    HINFO = 13,
    MX = 15,
    TXT = 16,
    AAAA = 28,
    SRV = 33,
    NAPTR = 35,
    DNAME = 39,
    OPT = 41,
    DS = 43,
    SSHFP = 44,
    RRSIG = 46,
    NSEC = 47,
    DNSKEY = 48,
    NSEC3 = 50,
    TLSA = 52,
    SVCB = 64,
    HTTPS = 65,
    NXT = 30,
    CSYNC = 62,
    SPF = 99,
    ANY = 255,
    CAA = 257,
};

extern const struct protocol mdns_protocol;

/* --- names --- */

/* The bytes that a name takes where it stands: up to its end or its first pointer. 0 if there is no name. */
static size_t name_length(struct span rest)
{
    for (size_t at = 0; at < rest.left; at += rest.at[at] + 1u) {
        if (!rest.at[at])
            return at + 1;
        if (rest.at[at] >= POINTER)
            return at + 2 <= rest.left ? at + 2 : 0;
        if (rest.at[at] > LABEL_MOST)
            return 0;
    }
    return 0;
}

/* How many bytes the name at an offset of the message takes with a dot behind each label. False: it is broken. */
static bool measure_name(struct span message, size_t at, size_t *size)
{
    size_t n = 0, start = at;
    unsigned jumps = 0;
    while (at < message.left) {
        size_t length = message.at[at];
        if (length <= LABEL_MOST) {
            *size = n;
            if (!length)
                return true;
            n += length + 1;
            at += length + 1;
            if (n > TEXT_MOST + 1)
                return false;
            continue;
        }
        if (length < POINTER || at + 2 > message.left)
            return false;
        at = load_be16(message.at + at) & 0x3fff;
        if (at >= start || ++jumps > JUMPS_MOST)
            return false;
        start = at;
    }
    return false;
}

/* Writes the name at an offset of the message, its labels joined with dots; the bytes written, 0 if it is broken, which
 * is found out first: a message may name thousands of long ones. */
static size_t spell(struct span message, size_t at, uint8_t text[SPELLED])
{
    size_t size, n = 0;
    if (!measure_name(message, at, &size))
        return 0;
    if (!size) {
        memcpy(text, "<Root>", 6);
        return 6;
    }
    while (n < size) {
        size_t length = message.at[at];
        if (length >= POINTER) {
            at = load_be16(message.at + at) & 0x3fff;
            continue;
        }
        if (message.left - at > LABEL_MOST + 1)
            memcpy(text + n, message.at + at + 1, LABEL_MOST + 1);
        else
            memcpy(text + n, message.at + at + 1, length);
        n += length;
        text[n++] = '.';
        at += 1 + length;
    }
    return size - 1;
}

/* The name at an offset of the message, which is nothing but a pointer to `target`, or begins there itself (`from`).
 * Many records point to the same name: the one that was spelled last lies in the text still. */
static size_t spell_again(struct span message, size_t from, size_t target, struct recall *recall, uint8_t text[SPELLED])
{
    static _Thread_local const struct recall *spelled; /* whose own[0] the text is of */
    const uint32_t any_name = UINT32_C(1) << 30, pointed_to = UINT32_C(1) << 31;
    uint32_t which = (uint32_t)target | any_name | (target == from ? 0 : pointed_to);
    if (recall && spelled == recall && (uint32_t)recall->own[0] == which)
        return recall->own[0] >> 32;
    size_t n = spell(message, from, text);
    spelled = recall;
    if (recall)
        recall->own[0] = which | (uint64_t)n << 32;
    return n;
}

static bool read_name(const struct place *place, size_t at, struct value *value)
{
    static _Thread_local uint8_t text[SPELLED];
    struct span rest = span_part(place->bytes, at, place->bytes.left);
    size_t own = name_length(rest), n = 0, from = place->start + at;
    if (own) {
        size_t target = rest.at[0] >= POINTER ? load_be16(rest.at) & 0x3fff : from;
        if (target <= from) /* pointers go backwards only */
            n = spell_again(layer_header(place->packet, place->layer), from, target, place->recall, text);
    }
    *value =
        (struct value){ .bytes = { text, n }, .bit = (place->start + (uint32_t)at) * 8, .width = (uint32_t)own * 8 };
    return n;
}

/* In front of the layer. */
static bool length_over_stream(const struct place *place, struct value *value)
{
    uint32_t at = place->layer->offset;
    struct span prefix = span_part(place->packet->buffers[place->layer->buffer], at - PREFIX, PREFIX);
    if (at < PREFIX || prefix.left < PREFIX)
        return false;
    value->u = load_be16(prefix.at);
    return true;
}

static bool name_at_0(const struct place *place, struct value *value)
{
    return read_name(place, 0, value);
}

static bool name_at_2(const struct place *place, struct value *value)
{
    return read_name(place, 2, value);
}

static bool name_at_6(const struct place *place, struct value *value)
{
    return read_name(place, 6, value);
}

static bool name_at_18(const struct place *place, struct value *value)
{
    return read_name(place, 18, value);
}

static bool second_name(const struct place *place, struct value *value)
{
    size_t first = name_length(place->bytes);
    return first && read_name(place, first, value);
}

/* --- records --- */

/* A question's, or any other record's, length; 0 if its name has no end. It may be more than there is. */
static size_t question_length(struct span run)
{
    size_t name = name_length(run);
    return name ? name + QUESTION_TAIL : 0;
}

static size_t record_length(struct span run)
{
    size_t name = name_length(run);
    return name && name + RECORD_TAIL <= run.left ? name + RECORD_TAIL + load_be16(run.at + name + 8) : 0;
}

static size_t question_head(struct span record, size_t *kind)
{
    (void)record, (void)kind;
    return 0;
}

/* The rows of a kind count from the data on; those of OPT, which has other things there, from the class. */
static size_t record_head(struct span record, size_t *kind)
{
    size_t name = name_length(record);
    *kind = load_be16(record.at + name);
    return name + (*kind == OPT ? 2 : RECORD_TAIL);
}

/* Goes over the whole records of a section from *end on. Returns how many more there should be: they are cut off, or
 * one of them is broken. */
static unsigned skip_section(struct span message, unsigned section, size_t *end)
{
    unsigned count = load_be16(message.at + 4 + 2 * section);
    for (; count; count--) {
        struct span rest = span_part(message, *end, message.left);
        size_t length = section == QUESTIONS ? question_length(rest) : record_length(rest);
        if (!length || length > rest.left)
            break;
        *end += length;
    }
    return count;
}

/* Where the whole records of a section begin and end. Returns how many more records the counts up to it claim than
 * there are. */
static unsigned find_section(struct span message, unsigned section, size_t *begin, size_t *end)
{
    unsigned missing = 0;
    *end = HEADER;
    for (unsigned s = 0; s <= section && !missing; s++) {
        *begin = *end;
        missing = skip_section(message, s, end);
        if (missing && s < section)
            *begin = *end;
    }
    return missing;
}

/* The same, from the section on that was found before. own[1]: where it ends, 1 more than its number above, whether any
 * is missing in front of it. */
static void find_next_section(const struct place *place, unsigned section, size_t *begin, size_t *end)
{
    enum { MISSING = 8 };
    struct recall *recall = place->recall;
    uint64_t known = recall ? recall->own[1] : 0;
    unsigned missing;
    if ((known >> 32 & (MISSING - 1)) != section || !section) {
        missing = find_section(place->bytes, section, begin, end);
    } else {
        *begin = *end = known & UINT32_MAX;
        missing = known >> 32 & MISSING ? 1 : skip_section(place->bytes, section, end);
    }
    if (recall)
        recall->own[1] = *end | (uint64_t)(section + 1) << 32 | (missing ? (uint64_t)MISSING << 32 : 0);
}

static bool read_section(const struct place *place, unsigned section, struct value *value)
{
    size_t begin, end;
    if (place->bytes.left < HEADER)
        return false;
    find_next_section(place, section, &begin, &end);
    *value = (struct value){ .bytes = span_part(place->bytes, begin, end - begin),
                             .bit = (uint32_t)begin * 8,
                             .width = (uint32_t)(end - begin) * 8 };
    return value->width;
}

static bool questions(const struct place *place, struct value *value)
{
    return read_section(place, QUESTIONS, value);
}

static bool answers(const struct place *place, struct value *value)
{
    return read_section(place, ANSWERS, value);
}

static bool authorities(const struct place *place, struct value *value)
{
    return read_section(place, 2, value);
}

static bool additionals(const struct place *place, struct value *value)
{
    return read_section(place, 3, value);
}

/* A number behind a record's name, absent from OPT. */
static bool read_behind(const struct place *place, size_t offset, size_t size, struct value *value)
{
    size_t at = name_length(place->bytes) + offset;
    if (at == offset || at + size > place->bytes.left || load_be16(place->bytes.at + at - offset) == OPT)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, at, size),
                             .bit = (place->start + (uint32_t)at) * 8,
                             .width = (uint32_t)size * 8 };
    value->u = bits_load(value->bytes.at, 0, value->width);
    return true;
}

static bool is_srv(const struct place *place)
{
    size_t name = name_length(place->bytes);
    return name && name + 2 <= place->bytes.left && load_be16(place->bytes.at + name) == SRV;
}

static bool record_name(const struct place *place, struct value *value)
{
    return !is_srv(place) && read_name(place, 0, value);
}

/* The name of a SRV record is of three parts: a service, a protocol, and where they are: RFC 2782 */
static bool read_srv_part(const struct place *place, unsigned part, struct value *value)
{
    if (!is_srv(place) || !read_name(place, 0, value))
        return false;
    for (unsigned i = 0;; i++) {
        const uint8_t *dot = memchr(value->bytes.at, '.', value->bytes.left);
        size_t n = dot && i < 2 ? (size_t)(dot - value->bytes.at) : value->bytes.left;
        if (i == part) {
            value->bytes.left = n;
            return n;
        }
        if (n == value->bytes.left)
            return false;
        span_pull(&value->bytes, n + 1);
    }
}

static bool srv_service(const struct place *place, struct value *value)
{
    return read_srv_part(place, 0, value);
}

static bool srv_protocol(const struct place *place, struct value *value)
{
    return read_srv_part(place, 1, value);
}

static bool srv_name(const struct place *place, struct value *value)
{
    return read_srv_part(place, 2, value);
}

/* A string may be empty, and is there all the same. */
static bool string(const struct place *place, struct value *value)
{
    *value = (struct value){ .bytes = span_part(place->bytes, 1, place->bytes.left), .bit = place->start * 8 + 8 };
    value->width = (uint32_t)value->bytes.left * 8;
    return place->bytes.left;
}

/* The top bit of a class means something else on the local link: RFC 6762, 5.4 and 10.2 */
static bool is_multicast(const struct place *place)
{
    return place->layer->protocol == &mdns_protocol;
}

static uint64_t plain_class(const struct place *place, uint64_t wire)
{
    return is_multicast(place) ? wire & 0x7fff : wire;
}

static bool record_class(const struct place *place, struct value *value)
{
    bool there = read_behind(place, 2, 2, value);
    value->u = plain_class(place, value->u);
    return there;
}

static bool record_flush(const struct place *place, struct value *value)
{
    bool there = is_multicast(place) && read_behind(place, 2, 2, value);
    value->u >>= 15;
    value->width = 1;
    value->bytes.left = there;
    return there;
}

static bool record_ttl(const struct place *place, struct value *value)
{
    return read_behind(place, 4, 4, value);
}

static bool question_unicast(const struct place *place, struct value *value)
{
    bool there = is_multicast(place) && read_behind(place, 2, 2, value);
    value->u >>= 15;
    value->width = 1;
    value->bytes.left = there;
    return there;
}

static uint64_t type_of_bit(const struct place *place, uint64_t bit)
{
    return place->bytes.at[0] * UINT64_C(256) + bit;
}

/* --- tables --- */

static const struct value_name types[] = {
    { A, "A" },         { NS, "NS" },         { CNAME, "CNAME" }, { SOA, "SOA" },     { 10, "NULL" },
    { PTR, "PTR" },     { HINFO, "HINFO" },   { MX, "MX" },       { TXT, "TXT" },     { AAAA, "AAAA" },
    { 29, "LOC" },      { SRV, "SRV" },       { NAPTR, "NAPTR" }, { DNAME, "DNAME" }, { OPT, "OPT" },
    { DS, "DS" },       { SSHFP, "SSHFP" },   { RRSIG, "RRSIG" }, { NSEC, "NSEC" },   { DNSKEY, "DNSKEY" },
    { NSEC3, "NSEC3" }, { 51, "NSEC3PARAM" }, { TLSA, "TLSA" },   { SVCB, "SVCB" },   { HTTPS, "HTTPS" },
    { NXT, "NXT" },     { CSYNC, "CSYNC" },   { SPF, "SPF" },     { 249, "TKEY" },    { 250, "TSIG" },
    { 251, "IXFR" },    { 252, "AXFR" },      { ANY, "ANY" },     { CAA, "CAA" },     { 0, NULL },
};
static const struct value_name classes[] = {
    { 1, "IN" }, { 3, "CH" }, { 4, "HS" }, { 254, "NONE" }, { 255, "ANY" }, { 0, NULL },
};
static const struct value_name opcodes[] = {
    { 0, "Query" },  { 1, "Inverse query" }, { 2, "Status" }, { 4, "Notify" },
    { 5, "Update" }, { 6, "Stateful" },      { 0, NULL },
};
static const struct value_name codes[] = {
    { 0, "NOERROR" },  { 1, "FORMERR" }, { 2, "SERVFAIL" }, { 3, "NXDOMAIN" }, { 4, "NOTIMP" },   { 5, "REFUSED" },
    { 6, "YXDOMAIN" }, { 7, "YXRRSET" }, { 8, "NXRRSET" },  { 9, "NOTAUTH" },  { 10, "NOTZONE" }, { 0, NULL },
};

enum { ROW_NAME = 1 };

static const struct field question_fields[] = {
    { "dns.qry.name", N_("Name"), FIELD_TEXT, .read = name_at_0, .measure = name_length },
    { "dns.qry.type", N_("Type"), FIELD_UINT, BYTE(0, 2), .after = ROW_NAME, .names = types },
    { "dns.qry.class", N_("Class"), FIELD_UINT, BYTE(2, 2), .after = ROW_NAME, .base = BASE_HEX, .names = classes,
      .adjust = plain_class },
    { "dns.qry.qu", N_("Unicast answer wanted"), FIELD_BOOL, .read = question_unicast },
    { 0 },
};
static const struct tlv question_kinds[] = {
    { 0xffff, "Question" },
    { 0 },
};
static const struct tlv_set question_set = {
    .measure = question_length, .head = question_head, .common = question_fields, .kinds = question_kinds
};

static const struct field record_fields[] = {
    { "dns.resp.name", N_("Name"), FIELD_TEXT, .read = record_name, .measure = name_length },
    { "dns.srv.service", N_("Service"), FIELD_TEXT, .read = srv_service },
    { "dns.srv.proto", N_("Protocol"), FIELD_TEXT, .read = srv_protocol },
    { "dns.srv.name", N_("Name"), FIELD_TEXT, .read = srv_name },
    { "dns.resp.type", N_("Type"), FIELD_UINT, BYTE(0, 2), .after = ROW_NAME, .names = types },
    { "dns.resp.class", N_("Class"), FIELD_UINT, .base = BASE_HEX, .read = record_class, .names = classes },
    { "dns.resp.cache_flush", N_("Cache flush"), FIELD_BOOL, .read = record_flush },
    { "dns.resp.ttl", N_("Time to live"), FIELD_UINT, .read = record_ttl },
    { "dns.resp.len", N_("Data length"), FIELD_UINT, BYTE(8, 2), .after = ROW_NAME, .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { 0 },
};
static const struct field a_fields[] = {
    { "dns.a", N_("Address"), FIELD_IPV4, BYTE(0, 4) },
    { 0 },
};
static const struct field ns_fields[] = {
    { "dns.ns", N_("Name Server"), FIELD_TEXT, .read = name_at_0 },
    { 0 },
};
static const struct field cname_fields[] = {
    { "dns.cname", N_("Canonical Name"), FIELD_TEXT, .read = name_at_0 },
    { 0 },
};
enum { ROW_MNAME = 1, ROW_RNAME };
static const struct field soa_fields[] = {
    { "dns.soa.mname", N_("Primary name server"), FIELD_TEXT, .read = name_at_0, .measure = name_length },
    { "dns.soa.rname", N_("Responsible authority's mailbox"), FIELD_TEXT, .after = ROW_MNAME, .read = second_name,
      .measure = name_length },
    { "dns.soa.serial_number", N_("Serial Number"), FIELD_UINT, BYTE(0, 4), .after = ROW_RNAME },
    { "dns.soa.refresh_interval", N_("Refresh Interval"), FIELD_UINT, BYTE(4, 4), .after = ROW_RNAME },
    { "dns.soa.retry_interval", N_("Retry Interval"), FIELD_UINT, BYTE(8, 4), .after = ROW_RNAME },
    { "dns.soa.expire_limit", N_("Expire limit"), FIELD_UINT, BYTE(12, 4), .after = ROW_RNAME },
    { "dns.soa.minimum_ttl", N_("Minimum time to live"), FIELD_UINT, BYTE(16, 4), .after = ROW_RNAME },
    { 0 },
};
static const struct field ptr_fields[] = {
    { "dns.ptr.domain_name", N_("Domain Name"), FIELD_TEXT, .read = name_at_0 },
    { 0 },
};
enum { ROW_CPU_LENGTH = 1, ROW_CPU, ROW_OS_LENGTH };
static const struct field hinfo_fields[] = {
    { "dns.hinfo.cpu_length", N_("CPU length"), FIELD_UINT, BYTE(0, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES },
    { "dns.hinfo.cpu", N_("CPU"), FIELD_TEXT, .after = ROW_CPU_LENGTH, .sized = ROW_CPU_LENGTH },
    { "dns.hinfo.os_length", N_("OS length"), FIELD_UINT, BYTE(0, 1), .after = ROW_CPU, .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "dns.hinfo.os", N_("OS"), FIELD_TEXT, .after = ROW_OS_LENGTH, .sized = ROW_OS_LENGTH },
    { 0 },
};
static const struct field mx_fields[] = {
    { "dns.mx.preference", N_("Preference"), FIELD_UINT, BYTE(0, 2) },
    { "dns.mx.mail_exchange", N_("Mail Exchange"), FIELD_TEXT, .read = name_at_2 },
    { 0 },
};

/* Strings with their lengths in front: RFC 1035, 3.3 */
static const struct field txt_string_fields[] = {
    { "dns.txt.length", N_("Length"), FIELD_UINT, BYTE(0, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES },
    { "dns.txt", N_("Text"), FIELD_TEXT, .read = string, .flags = FIELD_ASCII },
    { 0 },
};
static const struct field spf_string_fields[] = {
    { "dns.spf.length", N_("Length"), FIELD_UINT, BYTE(0, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES },
    { "dns.spf", N_("Text"), FIELD_TEXT, .read = string },
    { 0 },
};
static const struct tlv txt_strings[] = {
    { 0xffff, "String", txt_string_fields },
    { 0 },
};
static const struct tlv spf_strings[] = {
    { 0xffff, "String", spf_string_fields },
    { 0 },
};
static const struct tlv_set txt_set = { .length_size = 1, .unit = 1, .kinds = txt_strings };
static const struct tlv_set spf_set = { .length_size = 1, .unit = 1, .kinds = spf_strings };
static const struct field txt_fields[] = {
    { "dns.txt.strings", N_("Strings"), FIELD_TLVS, TO_END(0), .tlvs = &txt_set },
    { 0 },
};
static const struct field spf_fields[] = {
    { "dns.spf.strings", N_("Strings"), FIELD_TLVS, TO_END(0), .tlvs = &spf_set },
    { 0 },
};

static const struct field aaaa_fields[] = {
    { "dns.aaaa", N_("Address"), FIELD_IPV6, BYTE(0, 16) },
    { 0 },
};
static const struct field srv_fields[] = {
    { "dns.srv.priority", N_("Priority"), FIELD_UINT, BYTE(0, 2) },
    { "dns.srv.weight", N_("Weight"), FIELD_UINT, BYTE(2, 2) },
    { "dns.srv.port", N_("Port"), FIELD_UINT, BYTE(4, 2) },
    { "dns.srv.target", N_("Target"), FIELD_TEXT, .read = name_at_6 },
    { 0 },
};
static const struct field dname_fields[] = {
    { "dns.dname", N_("Target"), FIELD_TEXT, .read = name_at_0 },
    { 0 },
};

/* EDNS (RFC 6891, 6.1): counts from the class on. */
static const struct field edns_common[] = {
    { "dns.opt.code", N_("Code"), FIELD_UINT, BYTE(0, 2) },
    { "dns.opt.len", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH, .counts = COUNTS_VALUES },
    { "dns.opt.data", N_("Data"), FIELD_BYTES, TO_END(4) },
    { 0 },
};
static const struct tlv edns_options[] = {
    { 3, "Name server identifier" }, /* RFC 5001 */
    { 8, "Client subnet" },          /* RFC 7871 */
    { 10, "Cookie" },                /* RFC 7873 */
    { 11, "TCP keepalive" },         /* RFC 7828 */
    { 12, "Padding" },               /* RFC 7830 */
    { 15, "Extended error" },        /* RFC 8914 */
    { 0xffff, "Option" },
    { 0 },
};
static const struct tlv_set edns_set = {
    .kind_size = 2, .length_size = 2, .unit = 1, .common = edns_common, .kinds = edns_options
};
static const struct field opt_fields[] = {
    { "dns.rr.udp_payload_size", N_("UDP payload size"), FIELD_UINT, BYTE(0, 2) },
    { "dns.resp.ext_rcode", N_("Higher bits of the reply code"), FIELD_UINT, BYTE(2, 1), .base = BASE_HEX },
    { "dns.resp.edns0_version", N_("EDNS version"), FIELD_UINT, BYTE(3, 1) },
    { "dns.resp.z", N_("Flags"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX },
    { "dns.resp.z.do", N_("DNSSEC accepted"), FIELD_BOOL, BITS(32, 1) },
    { "dns.opt", N_("Options"), FIELD_TLVS, TO_END(DATA), .tlvs = &edns_set },
    { 0 },
};

static const struct field ds_fields[] = {
    { "dns.ds.key_id", N_("Key tag"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "dns.ds.algorithm", N_("Algorithm"), FIELD_UINT, BYTE(2, 1) },
    { "dns.ds.digest_type", N_("Digest type"), FIELD_UINT, BYTE(3, 1) },
    { "dns.ds.digest", N_("Digest"), FIELD_BYTES, TO_END(4) },
    { 0 },
};
static const struct field sshfp_fields[] = {
    { "dns.sshfp.algorithm", N_("Algorithm"), FIELD_UINT, BYTE(0, 1) },
    { "dns.sshfp.fingerprint.type", N_("Fingerprint type"), FIELD_UINT, BYTE(1, 1) },
    { "dns.sshfp.fingerprint", N_("Fingerprint"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
enum { ROW_SIGNER = 8 };
static const struct field rrsig_fields[] = {
    { "dns.rrsig.type_covered", N_("Type covered"), FIELD_UINT, BYTE(0, 2), .names = types },
    { "dns.rrsig.algorithm", N_("Algorithm"), FIELD_UINT, BYTE(2, 1) },
    { "dns.rrsig.labels", N_("Labels"), FIELD_UINT, BYTE(3, 1) },
    { "dns.rrsig.original_ttl", N_("Original time to live"), FIELD_UINT, BYTE(4, 4) },
    { "dns.rrsig.signature_expiration", N_("Expires, seconds since 1970"), FIELD_UINT, BYTE(8, 4) },
    { "dns.rrsig.signature_inception", N_("Signed, seconds since 1970"), FIELD_UINT, BYTE(12, 4) },
    { "dns.rrsig.key_tag", N_("Key tag"), FIELD_UINT, BYTE(16, 2) },
    { "dns.rrsig.signers_name", N_("Signer's name"), FIELD_TEXT, TO_END(18), .read = name_at_18,
      .measure = name_length },
    { "dns.rrsig.signature", N_("Signature"), FIELD_BYTES, .after = ROW_SIGNER },
    { 0 },
};
/* Which types there are: windows of 256, each with as much of its bitmap as is not 0. RFC 4034, 4.1.2 */
static const struct field window_fields[] = {
    { "dns.nsec.window", N_("Window"), FIELD_UINT, BYTE(0, 1) },
    { "dns.resp.type", N_("Type that is there"), FIELD_UINT, TO_END(2), .flags = FIELD_SET, .stride = 1, .names = types,
      .adjust = type_of_bit },
    { 0 },
};
static const struct tlv windows[] = {
    { 0xffff, "Window", window_fields },
    { 0 },
};
static const struct tlv_set window_set = { .kind_size = 1, .length_size = 1, .unit = 1, .kinds = windows };
enum { ROW_NEXT = 1 };
static const struct field nsec_fields[] = {
    { "dns.nsec.next_domain_name", N_("Next domain name"), FIELD_TEXT, .read = name_at_0, .measure = name_length },
    { "dns.nsec.types", N_("Types"), FIELD_TLVS, .after = ROW_NEXT, .tlvs = &window_set },
    { 0 },
};
/* The same without windows: RFC 2535, 5.2 */
static uint64_t type_of_plain_bit(const struct place *place, uint64_t bit)
{
    (void)place;
    return bit;
}
static const struct field nxt_fields[] = {
    { "dns.nxt.next_domain_name", N_("Next domain name"), FIELD_TEXT, .read = name_at_0, .measure = name_length },
    { "dns.resp.type", N_("Type that is there"), FIELD_UINT, .after = ROW_NEXT, .flags = FIELD_SET, .stride = 1,
      .names = types, .adjust = type_of_plain_bit },
    { 0 },
};
static const struct field csync_fields[] = {
    /* RFC 7477, 2.1 */
    { "dns.csync.soa", N_("Serial number"), FIELD_UINT, BYTE(0, 4) },
    { "dns.csync.flags", N_("Flags"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX },
    { "dns.csync.types", N_("Types"), FIELD_TLVS, TO_END(6), .tlvs = &window_set },
    { 0 },
};
enum { ROW_SALT_LENGTH = 4, ROW_SALT, ROW_HASH_LENGTH, ROW_HASH };
static const struct field nsec3_fields[] = {
    /* RFC 5155, 3.2 */
    { "dns.nsec3.algo", N_("Hash algorithm"), FIELD_UINT, BYTE(0, 1) },
    { "dns.nsec3.flags", N_("Flags"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "dns.nsec3.iterations", N_("Iterations"), FIELD_UINT, BYTE(2, 2) },
    { "dns.nsec3.salt_length", N_("Salt length"), FIELD_UINT, BYTE(4, 1), .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "dns.nsec3.salt_value", N_("Salt"), FIELD_BYTES, .after = ROW_SALT_LENGTH, .sized = ROW_SALT_LENGTH },
    { "dns.nsec3.hash_length", N_("Hash length"), FIELD_UINT, BYTE(0, 1), .after = ROW_SALT, .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "dns.nsec3.hash_value", N_("Next hashed owner name"), FIELD_BYTES, .after = ROW_HASH_LENGTH,
      .sized = ROW_HASH_LENGTH },
    { "dns.nsec.types", N_("Types"), FIELD_TLVS, .after = ROW_HASH, .tlvs = &window_set },
    { 0 },
};
static const struct field dnskey_fields[] = {
    { "dns.dnskey.flags", N_("Flags"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "dns.dnskey.protocol", N_("Protocol"), FIELD_UINT, BYTE(2, 1) },
    { "dns.dnskey.algorithm", N_("Algorithm"), FIELD_UINT, BYTE(3, 1) },
    { "dns.dnskey.public_key", N_("Public Key"), FIELD_BYTES, TO_END(4) },
    { 0 },
};
static const struct field tlsa_fields[] = {
    { "dns.tlsa.certificate_usage", N_("Certificate usage"), FIELD_UINT, BYTE(0, 1) },
    { "dns.tlsa.selector", N_("Selector"), FIELD_UINT, BYTE(1, 1) },
    { "dns.tlsa.matching_type", N_("Matching type"), FIELD_UINT, BYTE(2, 1) },
    { "dns.tlsa.certificate_association_data", N_("Certificate association data"), FIELD_BYTES, TO_END(3) },
    { 0 },
};
static const struct field svcb_fields[] = {
    { "dns.svcb.svcpriority", N_("Priority"), FIELD_UINT, BYTE(0, 2) },
    { "dns.svcb.targetname", N_("Target"), FIELD_TEXT, .read = name_at_2 },
    { 0 },
};
enum { ROW_TAG_LENGTH = 2, ROW_TAG };
static const struct field caa_fields[] = {
    { "dns.caa.flags", N_("Flags"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX },
    { "dns.caa.tag_length", N_("Tag length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH, .counts = COUNTS_VALUES },
    { "dns.caa.tag", N_("Tag"), FIELD_TEXT, .after = ROW_TAG_LENGTH, .sized = ROW_TAG_LENGTH },
    { "dns.caa.value", N_("Value"), FIELD_TEXT, .after = ROW_TAG },
    { 0 },
};
static const struct field other_fields[] = {
    { "dns.data", N_("Data"), FIELD_BYTES, TO_END(0) },
    { 0 },
};

static const struct tlv record_kinds[] = {
    { A, "A", a_fields },
    { AAAA, "AAAA", aaaa_fields },
    { CNAME, "CNAME", cname_fields },
    { PTR, "PTR", ptr_fields },
    { NS, "NS", ns_fields },
    { SOA, "SOA", soa_fields },
    { OPT, "OPT", opt_fields },
    { TXT, "TXT", txt_fields },
    { SRV, "SRV", srv_fields },
    { MX, "MX", mx_fields },
    { HINFO, "HINFO", hinfo_fields },
    { DNAME, "DNAME", dname_fields },
    { DS, "DS", ds_fields },
    { SSHFP, "SSHFP", sshfp_fields },
    { RRSIG, "RRSIG", rrsig_fields },
    { NSEC, "NSEC", nsec_fields },
    { NSEC3, "NSEC3", nsec3_fields },
    { DNSKEY, "DNSKEY", dnskey_fields },
    { TLSA, "TLSA", tlsa_fields },
    { SVCB, "SVCB", svcb_fields },
    { HTTPS, "HTTPS", svcb_fields },
    { SPF, "SPF", spf_fields },
    { NXT, "NXT", nxt_fields },
    { CSYNC, "CSYNC", csync_fields },
    { CAA, "CAA", caa_fields },
    { 0xffff, "Record", other_fields },
    { 0 },
};
static const struct tlv_set record_set = {
    .measure = record_length, .head = record_head, .common = record_fields, .kinds = record_kinds
};

static const struct when is_response[] = {
    { BITS(16, 1), 1, 1 },
    { 0 },
};
static const struct when is_query[] = {
    { BITS(16, 1), 0, 0 },
    { 0 },
};

/* An update counts other things: RFC 2136, 2.2 */
static const struct when is_update[] = {
    { BITS(17, 4), 5, 5 },
    { 0 },
};
static const struct when is_no_update[] = {
    { BITS(17, 4), 0, 4 },
    { BITS(17, 4), 6, 15 },
    { 0 },
};

/* Bytes of a header that end with its flags; with less there it is not looked at. */
enum { FLAGS_END = 4 };
enum { ROW_OPCODE = 5, ROW_CODE = 13 };
#define HEAD_ROWS                                                                                                      \
    { "dns.id", N_("Transaction ID"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX, .needs = FLAGS_END },                  \
        { "dns.flags", N_("Flags"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX },                                        \
        { "dns.flags.response", N_("Response"), FIELD_BOOL, BITS(16, 1), .needs = FLAGS_END },                         \
    {                                                                                                                  \
        "dns.flags.opcode", N_("Opcode"), FIELD_UINT, BITS(17, 4), .names = opcodes, .needs = FLAGS_END                \
    }
#define TAIL_ROWS                                                                                                      \
    { "dns.flags.rcode", N_("Reply code"), FIELD_UINT, BITS(28, 4), .when = is_response, .names = codes },             \
        { "dns.count.queries", N_("Question count"), FIELD_UINT, BYTE(4, 2), .when = is_no_update },                   \
        { "dns.count.answers", N_("Answer count"), FIELD_UINT, BYTE(6, 2), .when = is_no_update },                     \
        { "dns.count.auth_rr", N_("Authority count"), FIELD_UINT, BYTE(8, 2), .when = is_no_update },                  \
        { "dns.count.zones", N_("Zone count"), FIELD_UINT, BYTE(4, 2), .when = is_update },                            \
        { "dns.count.prerequisites", N_("Prerequisite count"), FIELD_UINT, BYTE(6, 2), .when = is_update },            \
        { "dns.count.updates", N_("Update count"), FIELD_UINT, BYTE(8, 2), .when = is_update },                        \
        { "dns.count.add_rr", N_("Additional count"), FIELD_UINT, BYTE(10, 2) },                                       \
        { "dns.questions", N_("Questions"), FIELD_TLVS, .read = questions, .tlvs = &question_set },                    \
        { "dns.answers", N_("Answers"), FIELD_TLVS, .read = answers, .tlvs = &record_set },                            \
        { "dns.authorities", N_("Authorities"), FIELD_TLVS, .read = authorities, .tlvs = &record_set },                \
        { "dns.additionals", N_("Additional records"), FIELD_TLVS, .read = additionals, .tlvs = &record_set },         \
        { "dns.response_to", N_("Answers the question in packet"), FIELD_UINT, NOTE(question_frame, NOTE_ANSWERS) },   \
    {                                                                                                                  \
        "dns.time", N_("Answered after"), FIELD_DURATION, NOTE(answer_time, NOTE_ANSWERS)                              \
    }

/* clang-format off */
static const struct field fields[] = {
    { "dns.length", N_("Length over TCP"), FIELD_UINT, .read = length_over_stream, .only = OVER_STREAM },
    HEAD_ROWS,
    { "dns.flags.authoritative", N_("Authoritative"), FIELD_BOOL, BITS(21, 1), .when = is_response },
    { "dns.flags.truncated", N_("Truncated"), FIELD_BOOL, BITS(22, 1) },
    { "dns.flags.recdesired", N_("Recursion desired"), FIELD_BOOL, BITS(23, 1) },
    { "dns.flags.recavail", N_("Recursion available"), FIELD_BOOL, BITS(24, 1), .when = is_response },
    { "dns.flags.z", N_("Reserved"), FIELD_BOOL, BITS(25, 1) },
    { "dns.flags.authenticated", N_("Authenticated"), FIELD_BOOL, BITS(26, 1), .when = is_response },
    { "dns.flags.checkdisable", N_("Non-authenticated data accepted"), FIELD_BOOL, BITS(27, 1) },
    TAIL_ROWS,
    { 0 },
};
static const struct field llmnr_fields[] = { /* RFC 4795, 2.1.1 */
    HEAD_ROWS,
    { "dns.flags.conflict", N_("Conflict"), FIELD_BOOL, BITS(21, 1) },
    { "dns.flags.truncated", N_("Truncated"), FIELD_BOOL, BITS(22, 1) },
    { "dns.flags.tentative", N_("Tentative"), FIELD_BOOL, BITS(23, 1), .when = is_response },
    { "dns.flags.recdesired", N_("Recursion desired"), FIELD_BOOL, BITS(23, 1), .when = is_query },
    TAIL_ROWS,
    { 0 },
};
/* clang-format on */

/* --- dissect --- */

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t wire = self->end - self->offset, begin, end;
    struct span message = *in;
    bool whole = message.left >= HEADER && !find_section(message, SECTIONS - 1, &begin, &end);
    self->length = (uint32_t)(whole ? end : message.left);
    span_pull(in, self->length);
    return whole ? VERDICT_WHOLE : message.left < wire ? VERDICT_CUT : VERDICT_BROKEN;
}

static enum turn turn(const struct packet *packet, const struct layer *layer, int64_t *number)
{
    struct span header = layer_header(packet, layer);
    if (header.left < HEADER)
        return TURN_NONE;
    *number = load_be16(header.at);
    return header.at[2] & 0x80 ? TURN_ANSWER : TURN_QUESTION;
}

/* --- summary --- */

static void write_name(struct span message, size_t at, struct buffer *out)
{
    uint8_t text[SPELLED];
    size_t n = spell(message, at, text);
    if (!n)
        buffer_text(out, "(bad name)");
    else if (n == 6 && !memcmp(text, "<Root>", 6))
        buffer_char(out, '.');
    else
        buffer_escaped(out, text, n);
}

static void write_type(uint16_t type, struct buffer *out)
{
    const char *name = field_value_name(&question_fields[1], type);
    buffer_text(out, name ? name : "TYPE");
    if (!name)
        buffer_decimal(out, type);
}

/* "A 192.0.2.1", "MX 10 mail.example.org"; data of other types are not for a line. */
static void write_data(struct span message, size_t at, uint16_t type, size_t length, struct buffer *out)
{
    const uint8_t *data = message.at + at;
    write_type(type, out);
    if (type == A && length >= 4) {
        char *to = buffer_room(out, ADDRESS_TEXT);
        *to++ = ' ';
        out->at = write_ipv4(to, load_be32(data));
    } else if (type == AAAA && length >= 16) {
        char *to = buffer_room(out, ADDRESS_TEXT);
        *to++ = ' ';
        out->at = write_ipv6(to, data);
    } else if (type == NS || type == CNAME || type == PTR || type == SOA || type == DNAME) {
        buffer_char(out, ' ');
        write_name(message, at, out);
    } else if ((type == MX && length > 2) || (type == SRV && length > 6)) {
        buffer_char(out, ' ');
        buffer_decimal(out, load_be16(data + (type == SRV ? 4 : 0)));
        buffer_char(out, ' ');
        write_name(message, at + (type == SRV ? 6 : 2), out);
    }
}

/* False if there are none. */
static bool write_questions(struct span message, struct buffer *out)
{
    enum { SHOWN = 3 };
    size_t begin, end;
    unsigned shown = 0;
    struct option option;
    find_section(message, QUESTIONS, &begin, &end);
    for (struct span run = span_part(message, begin, end - begin); tlv_next(&question_set, &run, &option); shown++) {
        size_t name = name_length(option.bytes);
        if (shown)
            buffer_text(out, ", ");
        if (shown == SHOWN) {
            buffer_text(out, "...");
            return true;
        }
        write_type(load_be16(option.bytes.at + name), out);
        buffer_text(out, "? ");
        write_name(message, (size_t)(option.bytes.at - message.at), out);
    }
    return shown;
}

static bool same_name(struct span message, size_t a, size_t b)
{
    uint8_t one[SPELLED], other[SPELLED];
    size_t n = spell(message, a, one), m = spell(message, b, other);
    return n == m && !memcmp(one, other, n);
}

/* "example.org CNAME www.example.org, www.example.org A 192.0.2.1, A 192.0.2.2" */
static bool write_answers(struct span message, struct buffer *out)
{
    enum { SHOWN = 6 };
    size_t begin, end, last = 0;
    unsigned shown = 0;
    struct option option;
    find_section(message, ANSWERS, &begin, &end);
    for (struct span run = span_part(message, begin, end - begin); tlv_next(&record_set, &run, &option); shown++) {
        if (shown)
            buffer_text(out, ", ");
        if (shown == SHOWN) {
            buffer_text(out, "...");
            return true;
        }
        size_t at = (size_t)(option.bytes.at - message.at), name = name_length(option.bytes);
        if (!shown || !same_name(message, last, at)) {
            write_name(message, at, out);
            buffer_char(out, ' ');
        }
        last = at;
        size_t data = name + RECORD_TAIL;
        write_data(message, at + data, load_be16(option.bytes.at + name), option.bytes.left - data, out);
    }
    return shown;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    uint16_t flags = load_be16(h.at + 2);
    unsigned opcode = flags >> 11 & 15, code = flags & 15;
    if (opcode) {
        const char *name = field_value_name(&fields[ROW_OPCODE - 1], opcode);
        buffer_text(out, name ? name : "opcode ");
        if (!name)
            buffer_decimal(out, opcode);
        buffer_char(out, ' ');
    }
    if (flags & RESPONSE && code) {
        const char *name = field_value_name(&fields[ROW_CODE - 1], code);
        buffer_text(out, name ? name : "code ");
        if (!name)
            buffer_decimal(out, code);
        buffer_char(out, ' ');
    }
    bool response = flags & RESPONSE;
    if (response && write_answers(h, out))
        return;
    if (!write_questions(h, out))
        buffer_text(out, response ? "response" : "query");
    else if (response && !code && !load_be16(h.at + 6))
        buffer_text(out, ": no answer");
}

/* --- over TCP: a length in front, RFC 1035, 4.2.2 --- */

static enum frame frame(struct message *m, struct span rest)
{
    m->flags = OVER_STREAM;
    m->length = PREFIX;
    if (rest.left < PREFIX)
        return FRAME_MORE;
    m->length += load_be16(rest.at);
    if (m->length < PREFIX + HEADER)
        return FRAME_NONE;
    return rest.left < m->length ? FRAME_MORE : FRAME_WHOLE;
}

/* NetBIOS asks in the same form, its names spelt in the letters from A to P: RFC 1001, 14.1 */
static bool is_netbios(struct span run)
{
    enum { LENGTH = 32 };
    bool netbios = run.left > LENGTH && run.at[0] == LENGTH;
    for (size_t i = 1; netbios && i <= LENGTH; i++)
        netbios = run.at[i] >= 'A' && run.at[i] <= 'P';
    return netbios;
}

/* A type and class that DNS has. */
static bool is_question(struct span run)
{
    size_t name = name_length(run);
    return name && !is_netbios(run) && name + QUESTION_TAIL <= run.left &&
           field_value_name(&question_fields[ROW_NAME], load_be16(run.at + name)) &&
           field_value_name(&question_fields[ROW_NAME + 1], load_be16(run.at + name + 2) & 0x7fff);
}

/* Off its port: a plain query or its answer that ends where the datagram does. */
static bool is_message(struct span m)
{
    enum { QUESTIONS_MOST = 10, RECORDS_MOST = 100, OPCODE = 0x7800, RESERVED = 0x0040 };
    if (m.left < HEADER || load_be16(m.at + 2) & (OPCODE | RESERVED))
        return false;
    unsigned asked = load_be16(m.at + 4);
    size_t begin, end;
    return asked && asked <= QUESTIONS_MOST && load_be16(m.at + 6) <= RECORDS_MOST &&
           load_be16(m.at + 8) <= RECORDS_MOST && load_be16(m.at + 10) <= RECORDS_MOST &&
           is_question(span_part(m, HEADER, m.left)) && !find_section(m, SECTIONS - 1, &begin, &end) && end == m.left;
}

static bool probe(struct span payload, enum probe how)
{
    if (how == PROBE_DATAGRAM)
        return is_message(payload);
    size_t length = payload.left > PREFIX ? load_be16(payload.at) : 0, begin, end;
    struct span message = span_part(payload, PREFIX, length);
    return how == PROBE_PORT && length >= HEADER && message.left == length &&
           !find_section(message, SECTIONS - 1, &begin, &end) && end == length;
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 53, 0 },
    { KEY_TCP_PORT, 53, 0 },
    { KEY_TCP_PORT, 5353, 0 },
    { 0 },
};
static const struct key mdns_keys[] = {
    { KEY_UDP_PORT, 5353, 0 },
    { 0 },
};
static const struct key llmnr_keys[] = {
    { KEY_UDP_PORT, 5355, 0 },
    { 0 },
};

const struct protocol dns_protocol = {
    .name = "dns",
    .label = "DNS",
    .title = N_("Domain Name System"),
    .rfc = "RFC 1035",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .frame = frame,
    .head = PREFIX,
    .probe = probe,
    .known = 1 << PROBE_DATAGRAM,
    .turn = turn,
    .summary = summary,
    .leaf = true,
};

const struct protocol mdns_protocol = {
    .name = "mdns",
    .label = "mDNS",
    .title = N_("Multicast Domain Name System"),
    .rfc = "RFC 6762",
    .fields = fields,
    .keys = mdns_keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};

const struct protocol llmnr_protocol = {
    .name = "llmnr",
    .label = "LLMNR",
    .title = N_("Link-local Multicast Name Resolution"),
    .rfc = "RFC 4795",
    .fields = llmnr_fields,
    .keys = llmnr_keys,
    .least = HEADER,
    .dissect = dissect,
    .turn = turn,
    .summary = summary,
    .leaf = true,
};
