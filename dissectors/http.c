/* Hypertext Transfer Protocol 1.x (RFC 9110, RFC 9112), and SSDP, which sends its requests and answers as datagrams
 * (UPnP Device Architecture 2.0, 1). A message is a line that asks or answers, header lines, an empty line, and a
 * body. The layer is all of it but the body, which is data. */
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include <ctype.h>

enum {
    METHOD_MOST = 18,       /* no method is longer */
    HEADERS_MOST = 1 << 16, /* more is not waited for */
};

/* --- lines --- */

/* How many bytes a line takes, its end included; all there is if it has none. */
static size_t line_length(struct span rest)
{
    const uint8_t *end = rest.left ? memchr(rest.at, '\n', rest.left) : NULL;
    return end ? (size_t)(end - rest.at) + 1 : rest.left;
}

static bool line_ends(struct span line)
{
    return line.left && line.at[line.left - 1] == '\n';
}

/* Without its CR and LF; the capture may end between them. */
static struct span line_text(struct span line)
{
    if (line_ends(line))
        line.left--;
    if (line.left && line.at[line.left - 1] == '\r')
        line.left--;
    return line;
}

/* The empty line that may stand in front of a message: RFC 9112, 2.2 */
static size_t empty_line(struct span message)
{
    return message.left > 2 && message.at[0] == '\r' && message.at[1] == '\n' ? 2 : 0;
}

static struct span trim(struct span text)
{
    while (text.left && (*text.at == ' ' || *text.at == '\t'))
        span_pull(&text, 1);
    while (text.left && (text.at[text.left - 1] == ' ' || text.at[text.left - 1] == '\t'))
        text.left--;
    return text;
}

static bool begins(struct span text, const char *with)
{
    size_t n = strlen(with);
    return text.left >= n && !strncasecmp((const char *)text.at, with, n);
}

/* RFC 9110, 9; RFC 4918 (WebDAV), RFC 3253, RFC 5323, RFC 5789, UPnP, RPC over HTTP, SSTP */
static const char methods[][METHOD_MOST] = {
    "GET",          "POST",
    "HEAD",         "PUT",
    "DELETE",       "OPTIONS",
    "CONNECT",      "TRACE",
    "PATCH",        "PROPFIND",
    "PROPPATCH",    "MKCOL",
    "COPY",         "MOVE",
    "LOCK",         "UNLOCK",
    "SEARCH",       "REPORT",
    "CHECKOUT",     "CHECKIN",
    "UNCHECKOUT",   "MKWORKSPACE",
    "UPDATE",       "LABEL",
    "MERGE",        "MKACTIVITY",
    "BCOPY",        "BMOVE",
    "BDELETE",      "BPROPFIND",
    "BPROPPATCH",   "VERSION-CONTROL",
    "POLL",         "SUBSCRIBE",
    "UNSUBSCRIBE",  "NOTIFY",
    "M-SEARCH",     "M-POST",
    "GENA",         "RPC_CONNECT",
    "RPC_IN_DATA",  "BASELINE-CONTROL",
    "RPC_OUT_DATA", "SSTP_DUPLEX_POST",
    "CCM_POST",
};

/* The length of the method that a line begins with, a space or the line's end behind it; 0: it is no request. */
static size_t method_length(struct span line)
{
    size_t n = 0, most = line.left < METHOD_MOST ? line.left : METHOD_MOST;
    while (n < most && line.at[n] > ' ')
        n++;
    if (!n || n == METHOD_MOST || !isupper(line.at[0]) || (n < line.left && !memchr(" \r\n", line.at[n], 3)))
        return 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i][0] == line.at[0] && !strncmp(methods[i], (const char *)line.at, n) && !methods[i][n])
            return n;
    return 0;
}

/* Whether a line that is not whole yet may become one that asks or answers. */
static bool may_become_first(struct span line)
{
    bool may = (line.left < 5 && !memcmp(line.at, "HTTP/", line.left)) ||
               (line.left < 4 && !memcmp(line.at, "ICY ", line.left));
    for (size_t i = 0; i < sizeof methods / sizeof *methods && !may && line.left < METHOD_MOST; i++)
        may = !strncmp(methods[i], (const char *)line.at, line.left);
    return may;
}

/* SHOUTcast streams begin with a version of their own. */
static bool is_response(struct span line)
{
    return line.left >= 5 && (!memcmp(line.at, "HTTP/", 5) || !memcmp(line.at, "ICY ", 4));
}

/* What a header's name may hold: printable characters but separators. RFC 9110, 5.1 and 5.6.2; a bit a character */
static const uint64_t token_bits[4] = { 0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0 };

/* Whether a line could be a header: a token and a colon. */
static bool is_header(struct span line)
{
    size_t n = 0;
    while (n < line.left && token_bits[line.at[n] >> 6] >> (line.at[n] & 63) & 1)
        n++;
    return n && n < line.left && line.at[n] == ':';
}

static struct span header_value(struct span line)
{
    struct span text = line_text(line);
    const uint8_t *colon = memchr(text.at, ':', text.left);
    size_t name = colon ? (size_t)(colon - text.at) + 1 : text.left;
    return trim(span_part(text, name, text.left));
}

static size_t header_name(struct span line)
{
    const uint8_t *colon = memchr(line.at, ':', line.left);
    return colon ? (size_t)(colon - line.at) : line.left;
}

/* --- what the first line says --- */

enum part { METHOD, TARGET, REQUEST_VERSION, RESPONSE_VERSION, CODE, PHRASE };

static struct span first_line(const struct place *place)
{
    struct span rest = place->bytes;
    span_pull(&rest, empty_line(rest));
    return line_text(span_part(rest, 0, line_length(rest)));
}

static void skip_spaces(struct span *line)
{
    while (line->left && *line->at == ' ')
        span_pull(line, 1);
}

/* Up to the next space, which goes, too. */
static struct span pull_word(struct span *line)
{
    const uint8_t *space = line->left ? memchr(line->at, ' ', line->left) : NULL;
    size_t n = space ? (size_t)(space - line->at) : line->left;
    struct span word = span_part(*line, 0, n);
    *line = span_part(*line, n + 1, line->left);
    return word;
}

/* A word of the first line: its number, whether all that is left belongs to it, and of which kind of line. */
static bool read_word(const struct place *place, bool response, unsigned number, bool rest, struct value *value)
{
    struct span line = first_line(place), word = { 0 };
    if (is_response(line) != response || (!response && !method_length(line)))
        return false;
    for (unsigned i = 0; i < number; i++) {
        pull_word(&line);
        if (response)
            skip_spaces(&line);
    }
    word = rest ? line : pull_word(&line);
    if (!word.left)
        return false;
    *value = (struct value){ .bytes = word,
                             .bit = (uint32_t)(word.at - place->bytes.at) * 8,
                             .width = (uint32_t)word.left * 8 };
    return true;
}

static bool method(const struct place *place, struct value *value)
{
    return read_word(place, false, 0, false, value);
}

static bool target(const struct place *place, struct value *value)
{
    return read_word(place, false, 1, false, value);
}

static bool request_version(const struct place *place, struct value *value)
{
    return read_word(place, false, 2, true, value);
}

static bool response_version(const struct place *place, struct value *value)
{
    return read_word(place, true, 0, false, value);
}

static bool code(const struct place *place, struct value *value)
{
    if (!read_word(place, true, 1, false, value))
        return false;
    value->u = 0;
    for (size_t i = 0; i < 3; i++) {
        if (i >= value->bytes.left || !isdigit(value->bytes.at[i]))
            return false;
        value->u = value->u * 10 + value->bytes.at[i] - '0';
    }
    return true;
}

static bool phrase(const struct place *place, struct value *value)
{
    return read_word(place, true, 2, true, value);
}

static bool is_request(const struct place *place, struct value *value)
{
    value->u = 1;
    return method_length(first_line(place));
}

static bool is_answer(const struct place *place, struct value *value)
{
    value->u = 1;
    return is_response(first_line(place));
}

/* --- the header lines --- */

static bool header_text(const struct place *place, struct value *value)
{
    struct span text = header_value(place->bytes);
    *value = (struct value){ .bytes = text,
                             .bit = (place->start + (uint32_t)(text.at - place->bytes.at)) * 8,
                             .width = (uint32_t)text.left * 8 };
    return true;
}

static bool header_number(const struct place *place, struct value *value)
{
    if (!header_text(place, value))
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i < value->bytes.left; i++) {
        if (!isdigit(value->bytes.at[i]) || n > UINT64_MAX / 10 - 9)
            return false;
        n = n * 10 + value->bytes.at[i] - '0';
    }
    value->u = n;
    return value->bytes.left;
}

static bool header_line(const struct place *place, struct value *value)
{
    struct span text = line_text(place->bytes);
    *value = (struct value){ .bytes = text, .bit = place->start * 8, .width = (uint32_t)text.left * 8 };
    return true;
}

static size_t header_length(struct span run)
{
    return line_length(run);
}

#define HEADER(abbrev, title)                                                                                          \
    {                                                                                                                  \
        { abbrev, title, FIELD_TEXT, .read = header_text, .flags = FIELD_ASCII },                                      \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }

static const struct field any_header[] = {
    { "http.header", N_("Header"), FIELD_TEXT, .read = header_line, .flags = FIELD_HIDDEN },
    { 0 },
};
static const struct field content_length[] = {
    { "http.content_length_header", N_("Content-Length"), FIELD_TEXT, .read = header_text, .flags = FIELD_ASCII },
    { "http.content_length", N_("Content length"), FIELD_UINT, .read = header_number },
    { 0 },
};
static const struct field other_header[] = {
    { "http.unknown_header", N_("Header"), FIELD_TEXT, .read = header_line },
    { 0 },
};
static const struct field host[] = HEADER("http.host", "Host");
static const struct field user_agent[] = HEADER("http.user_agent", "User-Agent");
static const struct field content_type[] = HEADER("http.content_type", "Content-Type");
static const struct field content_encoding[] = HEADER("http.content_encoding", "Content-Encoding");
static const struct field transfer_encoding[] = HEADER("http.transfer_encoding", "Transfer-Encoding");
static const struct field connection[] = HEADER("http.connection", "Connection");
static const struct field server[] = HEADER("http.server", "Server");
static const struct field location[] = HEADER("http.location", "Location");
static const struct field referer[] = HEADER("http.referer", "Referer");
static const struct field cookie[] = HEADER("http.cookie", "Cookie");
static const struct field set_cookie[] = HEADER("http.set_cookie", "Set-Cookie");
static const struct field accept[] = HEADER("http.accept", "Accept");
static const struct field accept_encoding[] = HEADER("http.accept_encoding", "Accept-Encoding");
static const struct field accept_language[] = HEADER("http.accept_language", "Accept-Language");
static const struct field authorization[] = HEADER("http.authorization", "Authorization");
static const struct field www_authenticate[] = HEADER("http.www_authenticate", "WWW-Authenticate");
static const struct field cache_control[] = HEADER("http.cache_control", "Cache-Control");
static const struct field date[] = HEADER("http.date", "Date");
static const struct field last_modified[] = HEADER("http.last_modified", "Last-Modified");
static const struct field forwarded_for[] = HEADER("http.x_forwarded_for", "X-Forwarded-For");
static const struct field upgrade[] = HEADER("http.upgrade", "Upgrade");

enum { HOST, KNOWN_HEADERS = 21 };

static const struct tlv headers[] = {
    { 0, "Host", host },
    { 1, "User-Agent", user_agent },
    { 2, "Content-Type", content_type },
    { 3, "Content-Length", content_length },
    { 4, "Content-Encoding", content_encoding },
    { 5, "Transfer-Encoding", transfer_encoding },
    { 6, "Connection", connection },
    { 7, "Server", server },
    { 8, "Location", location },
    { 9, "Referer", referer },
    { 10, "Cookie", cookie },
    { 11, "Set-Cookie", set_cookie },
    { 12, "Accept", accept },
    { 13, "Accept-Encoding", accept_encoding },
    { 14, "Accept-Language", accept_language },
    { 15, "Authorization", authorization },
    { 16, "WWW-Authenticate", www_authenticate },
    { 17, "Cache-Control", cache_control },
    { 18, "Date", date },
    { 19, "Last-Modified", last_modified },
    { 20, "X-Forwarded-For", forwarded_for },
    { 21, "Upgrade", upgrade },
    { 0xffff, "Header", other_header },
    { 0 },
};

/* By the name's length and, the case aside, its first letter; then all of it. */
static size_t header_kind(struct span line, size_t *kind)
{
    size_t n = header_name(line);
    const struct tlv *tlv = headers;
    for (; tlv->fields != other_header; tlv++)
        if ((tlv->title[0] ^ line.at[0]) % 32 == 0 && strlen(tlv->title) == n && begins(line, tlv->title))
            break;
    *kind = tlv->kind;
    return 0;
}

static const struct tlv_set header_set = {
    .measure = header_length, .head = header_kind, .common = any_header, .kinds = headers
};

/* Where the header lines begin, behind the line that asks or answers, and where they end, the empty line not included.
 * Whether that line is there. Behind a first line all that has a colon is a header, whatever its name is made of. */
static bool find_headers(struct span message, size_t *begin, size_t *end)
{
    size_t empty = empty_line(message);
    struct span first = span_part(message, empty, message.left);
    first.left = line_length(first);
    bool has_first = is_response(first) || method_length(first);
    size_t at = has_first ? empty + first.left : 0;
    *begin = at;
    for (size_t n; at < message.left; at += n) {
        struct span line = span_part(message, at, message.left);
        n = line_length(line);
        line.left = n;
        if (line_ends(line) && !line_text(line).left) {
            *end = at;
            return true;
        }
        if (has_first ? !memchr(line.at, ':', line.left) : !is_header(line)) {
            *end = at;
            return false;
        }
    }
    *end = at;
    return false;
}

static bool header_lines(const struct place *place, struct value *value)
{
    size_t begin, end;
    find_headers(place->bytes, &begin, &end);
    *value = (struct value){ .bytes = span_part(place->bytes, begin, end - begin),
                             .bit = (uint32_t)begin * 8,
                             .width = (uint32_t)(end - begin) * 8 };
    return end > begin;
}

static const struct field fields[] = {
    { "http.request", N_("Request"), FIELD_BOOL, .read = is_request, .flags = FIELD_HIDDEN },
    { "http.request.method", N_("Method"), FIELD_TEXT, .read = method, .flags = FIELD_ASCII },
    { "http.request.uri", N_("Target"), FIELD_TEXT, .read = target, .flags = FIELD_ASCII },
    { "http.request.version", N_("Version"), FIELD_TEXT, .read = request_version, .flags = FIELD_ASCII },
    { "http.response", N_("Response"), FIELD_BOOL, .read = is_answer, .flags = FIELD_HIDDEN },
    { "http.response.version", N_("Version"), FIELD_TEXT, .read = response_version },
    { "http.response.code", N_("Status code"), FIELD_UINT, .read = code },
    { "http.response.phrase", N_("Reason"), FIELD_TEXT, .read = phrase },
    { "http.headers", N_("Headers"), FIELD_TLVS, .read = header_lines, .tlvs = &header_set },
    { "http.request_in", N_("Answers the request in packet"), FIELD_UINT, NOTE(question_frame, NOTE_ANSWERS) },
    { "http.time", N_("Answered after"), FIELD_DURATION, NOTE(answer_time, NOTE_ANSWERS) },
    { 0 },
};

/* An interim answer (1xx but 101, RFC 9110, 15.2) is none: the one that counts comes behind it. */
static enum turn turn(const struct packet *packet, const struct layer *layer, int64_t *number)
{
    struct span line = layer_header(packet, layer);
    span_pull(&line, empty_line(line));
    line.left = line_length(line);
    *number = TURN_IN_ORDER;
    if (!is_response(line))
        return method_length(line) ? TURN_QUESTION : TURN_NONE;
    const uint8_t *space = memchr(line.at, ' ', line.left);
    size_t left = space ? (size_t)(line.at + line.left - space) : 0;
    bool interim = left > 3 && space[1] == '1' && memcmp(space + 1, "101", 3) != 0;
    return interim ? TURN_NONE : TURN_ANSWER;
}

/* --- over TCP --- */

/* message.state: what the lines so far said. */
enum {
    FIRST_LINE = 1, /* was there */
    RESPONSE = 2,
    NO_BODY = 4,
    SIZED = 8, /* a Content-Length */
    CHUNKED = 16,
    SWITCHES = 32, /* 101, or a tunnel that was asked for */
    BODY = 64,     /* the headers are over */
    LAST_CHUNK = 128,
};
/* message.memory: the last request */
enum { ASKED_HEAD = 1, ASKED_TUNNEL = 2 };

static void take_first_line(struct message *m, struct span line)
{
    m->state |= FIRST_LINE;
    if (!is_response(line)) {
        *m->memory = begins(line, "HEAD ") ? ASKED_HEAD : begins(line, "CONNECT ") ? ASKED_TUNNEL : 0;
        return;
    }
    unsigned status = 0;
    pull_word(&line);
    skip_spaces(&line);
    for (size_t i = 0; i < 3 && i < line.left && isdigit(line.at[i]); i++)
        status = status * 10 + line.at[i] - '0';
    m->state |= RESPONSE;
    if (status == 101 || (status / 100 == 2 && *m->memory & ASKED_TUNNEL))
        m->state |= SWITCHES;
    if (status / 100 == 1 || status == 204 || status == 304 || *m->memory & ASKED_HEAD)
        m->state |= NO_BODY; /* RFC 9112, 6.3 */
}

static void take_header(struct message *m, struct span line)
{
    if ((line.at[0] | 32) != 'c' && (line.at[0] | 32) != 't')
        return;
    if (begins(line, "Content-Length:") && !(m->state & SIZED)) {
        struct span value = header_value(line);
        uint64_t n = 0;
        size_t i = 0;
        for (; i < value.left && isdigit(value.at[i]) && n < UINT64_MAX / 10 - 9; i++)
            n = n * 10 + value.at[i] - '0';
        m->size = n < UINT32_MAX ? n : UINT32_MAX;
        m->state |= i && i == value.left ? SIZED : 0; /* what is no number says nothing */
    } else if (begins(line, "Transfer-Encoding:") && begins(header_value(line), "chunked")) {
        m->state |= CHUNKED;
    }
}

/* A chunk's size and extensions, its bytes, and the line's end behind them: RFC 9112, 7.1. False: no such line. */
static bool take_chunk(struct message *m, struct span line)
{
    uint64_t size = 0;
    size_t i = 0;
    for (; i < line.left && isxdigit(line.at[i]) && size < UINT32_MAX; i++)
        size = size << 4 | (line.at[i] <= '9' ? line.at[i] - 48u : (line.at[i] | 32) - 87u);
    m->at += line.left + (size ? size + 2 : 0);
    m->state |= size ? 0 : LAST_CHUNK;
    return i;
}

static enum frame whole(struct message *m, uint64_t length)
{
    m->length = length;
    m->farewell = m->state & SWITCHES;
    return FRAME_WHOLE;
}

/* What follows the empty line. `there`: up to where bytes are. */
static enum frame begin_body(struct message *m, uint64_t there)
{
    m->state |= BODY;
    if (m->state & (NO_BODY | SWITCHES))
        return whole(m, m->at);
    if (m->state & CHUNKED)
        return FRAME_MORE;
    if (m->state & SIZED) {
        m->at += m->size;
        m->length = m->at;
        return m->at <= there ? whole(m, m->at) : FRAME_MORE;
    }
    if (!(m->state & RESPONSE))
        return whole(m, m->at);
    return m->last ? whole(m, there) : FRAME_TO_END;
}

/* A body of known size or of chunks, from m->at on. */
static enum frame go_on(struct message *m, struct span rest, uint64_t there)
{
    if (!(m->state & CHUNKED))
        return m->at <= there ? whole(m, m->at) : FRAME_MORE;
    while (m->at < there) {
        struct span line = span_part(rest, (size_t)(rest.left - (there - m->at)), rest.left);
        line.left = line_length(line);
        if (!line_ends(line))
            break;
        if (m->state & LAST_CHUNK) { /* trailers, and the empty line */
            m->at += line.left;
            if (!line_text(line).left)
                return whole(m, m->at);
        } else if (!take_chunk(m, line)) {
            return whole(m, there); /* no chunk: as far as it goes */
        }
    }
    m->length = m->at > there ? m->at : 0;
    return FRAME_MORE;
}

static enum frame frame(struct message *m, struct span rest)
{
    uint64_t there = m->at + rest.left;
    if (m->state & BODY)
        return go_on(m, rest, there);
    if (!m->at && !m->state) {
        m->at = empty_line(rest);
        span_pull(&rest, m->at);
        struct span line = span_part(rest, 0, line_length(rest));
        if (!is_response(line) && !method_length(line)) {
            bool more = may_become_first(line);
            m->at = more ? 0 : m->at;
            if (more)
                return FRAME_MORE;
            if (!is_header(line))
                return FRAME_NONE;
            m->length = there; /* the middle of something: headers, perhaps */
            return FRAME_WHOLE;
        }
    }
    while (rest.left) {
        struct span line = span_part(rest, 0, line_length(rest));
        if (!line_ends(line))
            break;
        span_pull(&rest, line.left);
        m->at += line.left;
        if (!(m->state & FIRST_LINE)) {
            take_first_line(m, line_text(line));
        } else if (!line_text(line).left) {
            enum frame frame = begin_body(m, there);
            return frame == FRAME_MORE && m->state & CHUNKED ? go_on(m, rest, there) : frame;
        } else {
            take_header(m, line);
        }
    }
    if (there > HEADERS_MOST)
        return whole(m, there);
    return FRAME_MORE;
}

/* Off its ports only what says which version it is: that is quicker to see than a method. */
static bool probe(struct span segment, enum probe how)
{
    if (segment.left >= 8 && !memcmp(segment.at, "HTTP/1.", 7))
        return true;
    if (how == PROBE_PORT)
        return is_response(segment) || method_length(segment);
    struct span line = span_part(segment, 0, line_length(segment)), text = line_text(line);
    return text.left > 8 && text.left < line.left && !memcmp(text.at + text.left - 8, "HTTP/1.", 7) &&
           method_length(segment);
}

/* --- dissect --- */

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t begin, end, wire = self->end - self->offset, captured = in->left;
    bool whole = find_headers(*in, &begin, &end);
    size_t line = line_length(span_part(*in, end, captured));
    bool cut = !whole && captured < wire && !line_ends(span_part(*in, end, line));
    if (whole || cut)
        end += line;
    self->length = (uint32_t)end;
    span_pull(in, end);
    return cut ? VERDICT_CUT : VERDICT_WHOLE;
}

/* --- summary --- */

/* The values of up to two headers that a line shows, each behind what stands before it. The layer holds header lines
 * only, and the first one. */
static void write_headers(struct span rest, const char *const names[2], const char *const before[2], struct buffer *out)
{
    for (size_t n; (n = line_length(rest)); span_pull(&rest, n)) {
        struct span line = span_part(rest, 0, n);
        for (unsigned i = 0; i < 2 && names[i]; i++)
            if ((names[i][0] ^ line.at[0]) % 32 == 0 && begins(line, names[i])) {
                struct span value = header_value(line);
                buffer_text(out, before[i]);
                buffer_escaped(out, value.at, value.left);
            }
    }
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    static const char *const of_request[2] = { "Host:", NULL }, *const before_host[2] = { ", host ", NULL };
    static const char *const of_answer[2] = { "Content-Type:", "Content-Length:" };
    static const char *const before_body[2] = { ", ", ", length " };
    struct span rest = layer_header(packet, layer);
    span_pull(&rest, empty_line(rest));
    struct span line = line_text(span_part(rest, 0, line_length(rest)));
    bool response = is_response(line);
    if (!response && !method_length(line)) {
        buffer_text(out, "continued");
        return;
    }
    buffer_escaped(out, line.at, line.left);
    span_pull(&rest, line_length(rest));
    write_headers(rest, response ? of_answer : of_request, response ? before_body : before_host, out);
}

static const struct key keys[] = {
    { KEY_TCP_PORT, 80, 0 },
    { KEY_TCP_PORT, 631, 0 },
    { KEY_TCP_PORT, 1900, 0 },
    { KEY_TCP_PORT, 2710, 0 },
    { KEY_TCP_PORT, 2869, 0 },
    { KEY_TCP_PORT, 3128, 0 },
    { KEY_TCP_PORT, 3132, 0 },
    { KEY_TCP_PORT, 3689, 0 },
    { KEY_TCP_PORT, 5985, 0 },
    { KEY_TCP_PORT, 8080, 0 },
    { KEY_TCP_PORT, 8088, 0 },
    { KEY_TCP_PORT, 11371, 0 },
    { 0 },
};
static const struct key ssdp_keys[] = {
    { KEY_UDP_PORT, 1900, 0 },
    { 0 },
};

const struct protocol http_protocol = {
    .name = "http",
    .label = "HTTP",
    .title = N_("Hypertext Transfer Protocol"),
    .rfc = "RFC 9112",
    .fields = fields,
    .keys = keys,
    .dissect = dissect,
    .frame = frame,
    .probe = probe,
    .known = 1 << PROBE_STREAM,
    .turn = turn,
    .first = "GPHDOCTMLUSRBVNI",
    .summary = summary,
    .leaf = true,
};

const struct protocol ssdp_protocol = {
    .name = "ssdp",
    .label = "SSDP",
    .title = N_("Simple Service Discovery Protocol"),
    .rfc = "UPnP Device Architecture 2.0",
    .fields = fields,
    .keys = ssdp_keys,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};
