/* Transport Layer Security: its records (RFC 8446, 5; RFC 5246, 6.2), and what of the handshake goes in the clear:
 * who is called (RFC 6066, 3), what both ends can and choose. SSL 3.0 (RFC 6101) looks the same. */
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    HEADER = 5,     /* type, version, length */
    OLD_HEADER = 2, /* SSL 2.0's: length, with the highest bit set */
    OLD_RECORD = 0x80,
    LENGTH_MOST = 18432,  /* 2^14 and what ciphers add: RFC 5246, 6.2.3 */
    HANDSHAKE_HEADER = 4, /* type, 24 bits of length */
    MESSAGE_MOST = 1 << 16,
    LAST_VERSION = 0x0304,
    CLEAR_FINISHED = 20 << 24 | 12, /* what a cipher that encrypts nothing leaves of it */
};
enum content { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT };
enum handshake { CLIENT_HELLO = 1, SERVER_HELLO = 2 };
enum extension { SERVER_NAME = 0, ALPN = 16, SUPPORTED_VERSIONS = 43 };

/* What earlier records told: */
enum {
    SECRET = LAYER_TOLD_1, /* this end has changed its cipher: its handshake is encrypted */
    TLS13 = LAYER_TOLD_2,  /* the server chose TLS 1.3, whose records hide their types, and whose changes of cipher
                              change nothing: RFC 8446, 5 */
    GOES_ON = LAYER_TOLD_NUMBER, /* the first record goes on with a handshake message: its type in the upper 8 bits,
                                    and how many of its bytes are still to come in the others */
    REST_BITS = 24,
    REST = (1 << REST_BITS) - 1,
};

/* --- names --- */

static const struct value_name contents[] = {
    { CHANGE_CIPHER_SPEC, "Change Cipher Spec" }, { ALERT, "Alert" },         { HANDSHAKE, "Handshake" },
    { APPLICATION_DATA, "Application Data" },     { HEARTBEAT, "Heartbeat" }, { 0, NULL },
};
static const struct value_name versions[] = {
    { 0x0300, "SSL 3.0" }, { 0x0301, "TLS 1.0" }, { 0x0302, "TLS 1.1" },
    { 0x0303, "TLS 1.2" }, { 0x0304, "TLS 1.3" }, { 0, NULL },
};
static const struct value_name handshakes[] = {
    { 0, "Hello Request" },
    { CLIENT_HELLO, "Client Hello" },
    { SERVER_HELLO, "Server Hello" },
    { 3, "Hello Verify Request" },
    { 4, "New Session Ticket" },
    { 5, "End of Early Data" },
    { 6, "Hello Retry Request" },
    { 8, "Encrypted Extensions" },
    { 11, "Certificate" },
    { 12, "Server Key Exchange" },
    { 13, "Certificate Request" },
    { 14, "Server Hello Done" },
    { 15, "Certificate Verify" },
    { 16, "Client Key Exchange" },
    { 20, "Finished" },
    { 21, "Certificate URL" },
    { 22, "Certificate Status" },
    { 23, "Supplemental Data" },
    { 24, "Key Update" },
    { 25, "Compressed Certificate" },
    { 67, "Next Protocol" },
    { 0, NULL },
};
static const struct value_name levels[] = { { 1, "Warning" }, { 2, "Fatal" }, { 0, NULL } };
static const struct value_name descriptions[] = {
    /* RFC 8446, 6; RFC 5246, 7.2 */
    { 0, "Close Notify" },
    { 10, "Unexpected Message" },
    { 20, "Bad Record MAC" },
    { 21, "Decryption Failed" },
    { 22, "Record Overflow" },
    { 30, "Decompression Failure" },
    { 40, "Handshake Failure" },
    { 41, "No Certificate" },
    { 42, "Bad Certificate" },
    { 43, "Unsupported Certificate" },
    { 44, "Certificate Revoked" },
    { 45, "Certificate Expired" },
    { 46, "Certificate Unknown" },
    { 47, "Illegal Parameter" },
    { 48, "Unknown CA" },
    { 49, "Access Denied" },
    { 50, "Decode Error" },
    { 51, "Decrypt Error" },
    { 70, "Protocol Version" },
    { 71, "Insufficient Security" },
    { 80, "Internal Error" },
    { 86, "Inappropriate Fallback" },
    { 90, "User Canceled" },
    { 100, "No Renegotiation" },
    { 109, "Missing Extension" },
    { 110, "Unsupported Extension" },
    { 112, "Unrecognized Name" },
    { 113, "Bad Certificate Status Response" },
    { 115, "Unknown PSK Identity" },
    { 116, "Certificate Required" },
    { 120, "No Application Protocol" },
    { 0, NULL },
};
static const struct value_name suites[] = {
    /* those met every day, of IANA's TLS Cipher Suites */
    { 0x0004, "TLS_RSA_WITH_RC4_128_MD5" },
    { 0x0005, "TLS_RSA_WITH_RC4_128_SHA" },
    { 0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA" },
    { 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA" },
    { 0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" },
    { 0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA" },
    { 0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" },
    { 0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256" },
    { 0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256" },
    { 0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" },
    { 0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" },
    { 0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256" },
    { 0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384" },
    { 0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
    { 0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
    { 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV" },
    { 0x1301, "TLS_AES_128_GCM_SHA256" },
    { 0x1302, "TLS_AES_256_GCM_SHA384" },
    { 0x1303, "TLS_CHACHA20_POLY1305_SHA256" },
    { 0x5600, "TLS_FALLBACK_SCSV" },
    { 0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
    { 0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
    { 0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" },
    { 0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
    { 0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
    { 0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" },
    { 0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" },
    { 0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" },
    { 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
    { 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
    { 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
    { 0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
    { 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
    { 0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
    { 0, NULL },
};
static const struct value_name groups[] = {
    /* RFC 8446, 4.2.7; RFC 8422, 5.1.1; draft-ietf-tls-ecdhe-mlkem */
    { 23, "secp256r1" },  { 24, "secp384r1" },  { 25, "secp521r1" },        { 29, "x25519" }, { 30, "x448" },
    { 256, "ffdhe2048" }, { 257, "ffdhe3072" }, { 4588, "X25519MLKEM768" }, { 0, NULL },
};
static const struct value_name extension_names[] = {
    { SERVER_NAME, "server_name" },
    { 1, "max_fragment_length" },
    { 5, "status_request" },
    { 10, "supported_groups" },
    { 11, "ec_point_formats" },
    { 13, "signature_algorithms" },
    { 15, "heartbeat" },
    { ALPN, "application_layer_protocol_negotiation" },
    { 18, "signed_certificate_timestamp" },
    { 21, "padding" },
    { 22, "encrypt_then_mac" },
    { 23, "extended_master_secret" },
    { 27, "compress_certificate" },
    { 28, "record_size_limit" },
    { 35, "session_ticket" },
    { 41, "pre_shared_key" },
    { 42, "early_data" },
    { SUPPORTED_VERSIONS, "supported_versions" },
    { 44, "cookie" },
    { 45, "psk_key_exchange_modes" },
    { 49, "post_handshake_auth" },
    { 50, "signature_algorithms_cert" },
    { 51, "key_share" },
    { 13172, "next_protocol_negotiation" },
    { 17513, "application_settings" },
    { 65037, "encrypted_client_hello" },
    { 65281, "renegotiation_info" },
    { 0, NULL },
};

/* --- extensions: RFC 8446, 4.2 --- */

static const struct field extension_common[] = {
    { "tls.handshake.extension.type", N_("Type"), FIELD_UINT, BYTE(0, 2), .names = extension_names },
    { "tls.handshake.extension.len", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH },
    { 0 },
};
enum { ROW_NAME_LENGTH = 3 };
static const struct field server_name_fields[] = {
    { "tls.handshake.extensions_server_name_list_len", N_("List length"), FIELD_UINT, BYTE(4, 2), .role = ROLE_LENGTH },
    { "tls.handshake.extensions_server_name_type", N_("Name type"), FIELD_UINT, BYTE(6, 1) },
    { "tls.handshake.extensions_server_name_len", N_("Name length"), FIELD_UINT, BYTE(7, 2), .role = ROLE_LENGTH },
    { "tls.handshake.extensions_server_name", N_("Server name"), FIELD_TEXT, .after = ROW_NAME_LENGTH,
      .sized = ROW_NAME_LENGTH, .flags = FIELD_ASCII },
    { 0 },
};
static const struct field groups_fields[] = {
    { "tls.handshake.extensions_supported_groups_length", N_("List length"), FIELD_UINT, BYTE(4, 2),
      .role = ROLE_LENGTH },
    { "tls.handshake.extensions_supported_group", N_("Group"), FIELD_UINT, BYTE(6, 2), .base = BASE_HEX, .stride = 2,
      .names = groups },
    { 0 },
};

static size_t string_length(struct span run)
{
    return 1u + run.at[0];
}
static const struct field alpn_name_fields[] = {
    { "tls.handshake.extensions_alpn_str_len", N_("Length"), FIELD_UINT, BYTE(0, 1), .role = ROLE_LENGTH },
    { "tls.handshake.extensions_alpn_str", N_("Protocol"), FIELD_TEXT, TO_END(1) },
    { 0 },
};
static const struct tlv alpn_names[] = {
    { 0xffff, "Protocol", alpn_name_fields },
    { 0 },
};
static const struct tlv_set alpn_set = { .measure = string_length, .kinds = alpn_names };
static const struct field alpn_fields[] = {
    { "tls.handshake.extensions_alpn_len", N_("List length"), FIELD_UINT, BYTE(4, 2), .role = ROLE_LENGTH },
    { "tls.handshake.extensions_alpn_list", N_("Protocols"), FIELD_TLVS, TO_END(6), .tlvs = &alpn_set },
    { 0 },
};

/* A client sends a list with its length in front, a server its choice: RFC 8446, 4.2.1 */
static const struct when is_choice[] = {
    { BITS(16, 16), 2, 2 },
    { 0 },
};
static const struct when is_list[] = {
    { BITS(16, 16), 3, UINT16_MAX },
    { 0 },
};
static const struct field versions_fields[] = {
    { "tls.handshake.extensions.supported_versions_len", N_("List length"), FIELD_UINT, BYTE(4, 1), .when = is_list,
      .role = ROLE_LENGTH },
    { "tls.handshake.extensions.supported_version", N_("Version"), FIELD_UINT, BYTE(5, 2), .base = BASE_HEX,
      .when = is_list, .stride = 2, .names = versions },
    { "tls.handshake.extensions.supported_version", N_("Version"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX,
      .when = is_choice, .names = versions },
    { 0 },
};
static const struct field extension_data_fields[] = {
    { "tls.handshake.extension.data", N_("Data"), FIELD_BYTES, TO_END(4) },
    { 0 },
};
static const struct tlv extensions[] = {
    { SERVER_NAME, "Server Name", server_name_fields },
    { 10, "Supported Groups", groups_fields },
    { ALPN, "Application-Layer Protocol Negotiation", alpn_fields },
    { SUPPORTED_VERSIONS, "Supported Versions", versions_fields },
    { 0xffff, "Extension", extension_data_fields },
    { 0 },
};
static const struct tlv_set extension_set = {
    .kind_size = 2, .length_size = 2, .unit = 1, .common = extension_common, .kinds = extensions
};

/* --- handshake messages: RFC 8446, 4; RFC 5246, 7.4 --- */

static size_t suite_length(struct span run)
{
    (void)run;
    return 2;
}
static const struct field suite_fields[] = {
    { "tls.handshake.ciphersuite", N_("Cipher suite"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX, .names = suites },
    { 0 },
};
static const struct tlv suite_kinds[] = {
    { 0xffff, "Cipher suite", suite_fields },
    { 0 },
};
static const struct tlv_set suite_set = { .measure = suite_length, .kinds = suite_kinds };

enum {
    ROW_SESSION_LENGTH = 3,
    ROW_SESSION,
    ROW_SUITES_LENGTH,
    ROW_SUITES,
    ROW_METHODS_LENGTH,
    ROW_METHODS,
    ROW_EXTENSIONS_LENGTH,
};
#define HELLO_ROWS                                                                                                     \
    { "tls.handshake.version", N_("Version"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX, .names = versions },           \
        { "tls.handshake.random", N_("Random"), FIELD_BYTES, BYTE(6, 32) },                                            \
        { "tls.handshake.session_id_length", N_("Session ID length"), FIELD_UINT, BYTE(38, 1), .role = ROLE_LENGTH },  \
    {                                                                                                                  \
        "tls.handshake.session_id", N_("Session ID"), FIELD_BYTES, .after = ROW_SESSION_LENGTH,                        \
                                                                   .sized = ROW_SESSION_LENGTH                         \
    }
static const struct field client_hello_fields[] = {
    HELLO_ROWS,
    { "tls.handshake.cipher_suites_length", N_("Cipher suites length"), FIELD_UINT, BYTE(0, 2), .after = ROW_SESSION,
      .role = ROLE_LENGTH },
    { "tls.handshake.ciphersuites", N_("Cipher suites"), FIELD_TLVS, .after = ROW_SUITES_LENGTH,
      .sized = ROW_SUITES_LENGTH, .tlvs = &suite_set },
    { "tls.handshake.comp_methods_length", N_("Compression methods length"), FIELD_UINT, BYTE(0, 1),
      .after = ROW_SUITES, .role = ROLE_LENGTH },
    { "tls.handshake.comp_methods", N_("Compression methods"), FIELD_BYTES, .after = ROW_METHODS_LENGTH,
      .sized = ROW_METHODS_LENGTH },
    { "tls.handshake.extensions_length", N_("Extensions length"), FIELD_UINT, BYTE(0, 2), .after = ROW_METHODS,
      .role = ROLE_LENGTH },
    { "tls.handshake.extensions", N_("Extensions"), FIELD_TLVS, .after = ROW_EXTENSIONS_LENGTH,
      .sized = ROW_EXTENSIONS_LENGTH, .tlvs = &extension_set },
    { 0 },
};
enum { ROW_SUITE = 5, ROW_METHOD, ROW_SERVER_EXTENSIONS_LENGTH };
static const struct field server_hello_fields[] = {
    HELLO_ROWS,
    { "tls.handshake.ciphersuite", N_("Cipher suite"), FIELD_UINT, BYTE(0, 2), .after = ROW_SESSION, .base = BASE_HEX,
      .names = suites },
    { "tls.handshake.comp_method", N_("Compression method"), FIELD_UINT, BYTE(0, 1), .after = ROW_SUITE },
    { "tls.handshake.extensions_length", N_("Extensions length"), FIELD_UINT, BYTE(0, 2), .after = ROW_METHOD,
      .role = ROLE_LENGTH },
    { "tls.handshake.extensions", N_("Extensions"), FIELD_TLVS, .after = ROW_SERVER_EXTENSIONS_LENGTH,
      .sized = ROW_SERVER_EXTENSIONS_LENGTH, .tlvs = &extension_set },
    { 0 },
};

static size_t message_length(struct span run)
{
    return run.left < HANDSHAKE_HEADER ? 0 : HANDSHAKE_HEADER + (load_be32(run.at) & 0xffffff);
}
static const struct field message_common[] = {
    { "tls.handshake.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .names = handshakes },
    { "tls.handshake.length", N_("Length"), FIELD_UINT, BYTE(1, 3), .role = ROLE_LENGTH },
    { 0 },
};
static const struct tlv messages[] = {
    { CLIENT_HELLO, "Client Hello", client_hello_fields },
    { SERVER_HELLO, "Server Hello", server_hello_fields },
    { 0xffff, "Handshake message" },
    { 0 },
};
static const struct tlv_set message_set = {
    .kind_size = 1, .measure = message_length, .common = message_common, .kinds = messages
};

/* --- records --- */

/* The hello of a client that may yet speak SSL 2.0, in that version's record: RFC 5246, E.2. */
static bool is_old_hello(struct span run)
{
    return run.left >= HEADER && run.at[0] & OLD_RECORD && run.at[2] == CLIENT_HELLO && run.at[3] == 3;
}

static size_t record_length(struct span run)
{
    if (run.left < HEADER)
        return 0;
    return is_old_hello(run) ? OLD_HEADER + (load_be16(run.at) & 0x7fffu) : HEADER + (size_t)load_be16(run.at + 3);
}

/* Messages of known types one after another, the last of which may go on in the next record, behind `skipped` bytes of
 * an earlier one; not from an end that has changed its cipher. What is shorter than a cipher's least overhead is not
 * encrypted. */
static bool is_clear(struct span record, uint8_t flags, size_t skipped)
{
    struct span rest = span_part(record, HEADER, record.left);
    if (rest.left < 16 || load_be32(rest.at) == CLEAR_FINISHED)
        return true;
    if (flags & SECRET)
        return false;
    rest = span_part(rest, skipped, rest.left);
    while (rest.left >= HANDSHAKE_HEADER) {
        size_t length = message_length(rest);
        if (!field_value_name(&message_common[0], rest.at[0]) || length > MESSAGE_MOST)
            return false;
        span_pull(&rest, length < rest.left ? length : rest.left);
    }
    return true;
}

/* What of a record belongs to a message that began in an earlier one. */
static size_t old_part(const struct layer *layer, size_t at, struct span record)
{
    size_t rest = layer->flags & GOES_ON && !at ? layer->told & REST : 0,
           most = record.left > HEADER ? record.left - HEADER : 0;
    return rest < most ? rest : most;
}

/* How much of a run of messages is whole ones. One that the capture cuts short counts, too: its rest is not elsewhere.
 */
static size_t whole_messages(struct span run, bool cut)
{
    struct span rest = run;
    for (size_t length; (length = message_length(rest)) && length <= rest.left;)
        span_pull(&rest, length);
    return cut ? run.left : run.left - rest.left;
}

static bool take_part(const struct place *place, size_t at, size_t n, struct value *value)
{
    struct span part = span_part(place->bytes, HEADER + at, n);
    *value = (struct value){ .bytes = part,
                             .bit = (place->start + HEADER + (uint32_t)at) * 8,
                             .width = (uint32_t)part.left * 8 };
    return part.left;
}

/* The three parts of a record: the end of a message that began earlier, whole ones, and what goes on in the next. */
static bool find_parts(const struct place *place, size_t *old, size_t *whole)
{
    if (place->bytes.left <= HEADER)
        return false;
    *old = old_part(place->layer, place->start, place->bytes);
    if (!is_clear(place->bytes, place->layer->flags, *old))
        return false;
    bool changed = place->layer->flags & SECRET; /* then it is a lone message, a MAC behind it */
    size_t most = changed ? HANDSHAKE_HEADER + (CLEAR_FINISHED & 0xff) : place->bytes.left;
    struct span run = span_part(place->bytes, HEADER + *old, most);
    *whole = whole_messages(run, changed || place->bytes.left < record_length(place->bytes));
    return true;
}

static bool clear_messages(const struct place *place, struct value *value)
{
    size_t old, whole;
    return find_parts(place, &old, &whole) && take_part(place, old, whole, value);
}

static bool old_message(const struct place *place, struct value *value)
{
    size_t old, whole;
    return find_parts(place, &old, &whole) && take_part(place, 0, old, value);
}

static bool new_message(const struct place *place, struct value *value)
{
    size_t old, whole;
    bool changed = place->layer->flags & SECRET;
    return !changed && find_parts(place, &old, &whole) && take_part(place, old + whole, place->bytes.left, value);
}

/* Of a message that ends here. */
static bool old_type(const struct place *place, struct value *value)
{
    if (!old_message(place, value) || value->bytes.left < (place->layer->told & REST))
        return false;
    value->u = place->layer->told >> REST_BITS;
    return true;
}

static const struct when is_data[] = {
    { BITS(0, 8), APPLICATION_DATA, APPLICATION_DATA },
    { 0 },
};
static const struct when is_no_data[] = {
    { BITS(0, 8), 0, APPLICATION_DATA - 1 },
    { BITS(0, 8), APPLICATION_DATA + 1, OLD_RECORD - 1 },
    { 0 },
};
static const struct when is_new[] = {
    { BITS(0, 1), 0, 0 },
    { 0 },
};
static const struct field record_common[] = {
    { "tls.record.content_type", N_("Content type"), FIELD_UINT, BYTE(0, 1), .when = is_no_data, .names = contents },
    { "tls.record.content_type", N_("Content type"), FIELD_UINT, BYTE(0, 1), .when = is_data, .never = TLS13,
      .names = contents },
    { "tls.record.opaque_type", N_("Opaque type"), FIELD_UINT, BYTE(0, 1), .when = is_data, .only = TLS13,
      .names = contents },
    { "tls.record.version", N_("Version"), FIELD_UINT, BYTE(1, 2), .base = BASE_HEX, .names = versions,
      .when = is_new },
    { "tls.record.length", N_("Length"), FIELD_UINT, BYTE(3, 2), .role = ROLE_LENGTH, .when = is_new },
    { 0 },
};
static const struct field handshake_fields[] = {
    { "tls.handshake.type", N_("Type of the message that ends here"), FIELD_UINT, .only = GOES_ON, .read = old_type,
      .names = handshakes },
    { "tls.handshake.part", N_("Part of a message"), FIELD_BYTES, .only = GOES_ON, .read = old_message },
    { "tls.handshake", N_("Handshake"), FIELD_TLVS, .read = clear_messages, .tlvs = &message_set },
    { "tls.handshake.part", N_("Part of a message"), FIELD_BYTES, .read = new_message },
    { 0 },
};
/* An encrypted one is longer. */
static const struct when is_clear_alert[] = {
    { BITS(24, 16), 2, 2 },
    { 0 },
};
static const struct field alert_fields[] = {
    { "tls.alert_message.level", N_("Level"), FIELD_UINT, BYTE(5, 1), .when = is_clear_alert, .names = levels },
    { "tls.alert_message.desc", N_("Description"), FIELD_UINT, BYTE(6, 1), .when = is_clear_alert,
      .names = descriptions },
    { 0 },
};
static const struct field data_fields[] = {
    { "tls.app_data", N_("Encrypted data"), FIELD_BYTES, TO_END(5) },
    { 0 },
};
static const struct when is_old[] = {
    { BITS(0, 1), 1, 1 },
    { 0 },
};
enum { ROW_SPECS_LENGTH = 4, ROW_OLD_SESSION_LENGTH, ROW_CHALLENGE_LENGTH, ROW_SPECS, ROW_OLD_SESSION };
static const struct field other_fields[] = {
    { "tls.record.length", N_("Length"), FIELD_UINT, BITS(1, 15), .when = is_old },
    { "tls.ssl2.handshake.type", N_("Type"), FIELD_UINT, BYTE(2, 1), .names = handshakes, .when = is_old },
    { "tls.handshake.version", N_("Version"), FIELD_UINT, BYTE(3, 2), .base = BASE_HEX, .names = versions,
      .when = is_old },
    { "tls.handshake.cipher_spec_len", N_("Cipher specs length"), FIELD_UINT, BYTE(5, 2), .when = is_old },
    { "tls.handshake.session_id_length", N_("Session ID length"), FIELD_UINT, BYTE(7, 2), .when = is_old },
    { "tls.handshake.challenge_length", N_("Challenge length"), FIELD_UINT, BYTE(9, 2), .when = is_old },
    { "tls.handshake.cipherspecs", N_("Cipher specs"), FIELD_BYTES, BYTE(11, 0), .sized = ROW_SPECS_LENGTH,
      .when = is_old },
    { "tls.handshake.session_id", N_("Session ID"), FIELD_BYTES, .after = ROW_SPECS, .sized = ROW_OLD_SESSION_LENGTH,
      .when = is_old },
    { "tls.handshake.challenge", N_("Challenge"), FIELD_BYTES, .after = ROW_OLD_SESSION, .sized = ROW_CHALLENGE_LENGTH,
      .when = is_old },
    { 0 },
};
static const struct tlv records[] = {
    { HANDSHAKE, "Handshake", handshake_fields }, { APPLICATION_DATA, "Application Data", data_fields },
    { CHANGE_CIPHER_SPEC, "Change Cipher Spec" }, { ALERT, "Alert", alert_fields },
    { 0xffff, "Record", other_fields },           { 0 },
};
static const struct tlv_set record_set = {
    .kind_size = 1, .measure = record_length, .common = record_common, .kinds = records
};

static const struct field fields[] = {
    { "tls.record", N_("Records"), FIELD_TLVS, TO_END(0), .tlvs = &record_set },
    { 0 },
};

/* --- over TCP --- */

/* Whether the bytes can begin a record. */
static bool is_record(struct span rest)
{
    if (rest.left < HEADER)
        return rest.left && rest.at[0] >= CHANGE_CIPHER_SPEC && rest.at[0] <= HEARTBEAT &&
               (rest.left < 2 || rest.at[1] == 3);
    if (is_old_hello(rest))
        return true;
    return rest.at[0] >= CHANGE_CIPHER_SPEC && rest.at[0] <= HEARTBEAT && rest.at[1] == 3 && rest.at[2] <= 3 &&
           load_be16(rest.at + 3) <= LENGTH_MOST;
}

/* A server's choice of TLS 1.3 stands in an extension: RFC 8446, 4.2.1 */
static bool chooses_tls13(struct span record)
{
    struct place place = { .rows = server_hello_fields,
                           .bytes = span_part(record, HEADER, message_length(span_part(record, HEADER, record.left))) };
    struct layer layer = { 0 };
    struct value value;
    struct option option;
    place.layer = &layer;
    if (!field_read(&server_hello_fields[ROW_SERVER_EXTENSIONS_LENGTH], &place, 0, &value))
        return false;
    while (tlv_next(&extension_set, &value.bytes, &option))
        if (option.tlv->kind == SUPPORTED_VERSIONS && option.bytes.left >= 6)
            return load_be16(option.bytes.at + 4) == LAST_VERSION;
    return false;
}

/* message.memory: what each end's records told, and both's; then what of a message is still to come, as layer.told has
 * it, from each end: a type and as many bits as MESSAGE_MOST and a header need. */
enum { MEMORY_TLS13 = 4, MEMORY_PARTS = 8, PART_REST = 17, PART_BITS = PART_REST + 8 };

static uint32_t recall_part(const struct message *m)
{
    uint64_t part = *m->memory >> (MEMORY_PARTS + PART_BITS * m->end);
    return (uint32_t)(part & ((1u << PART_REST) - 1)) | (uint32_t)(part >> PART_REST & 0xff) << REST_BITS;
}

static void keep_part(struct message *m, unsigned type, size_t rest)
{
    unsigned shift = MEMORY_PARTS + (unsigned)PART_BITS * m->end;
    uint64_t part = rest ? (uint64_t)type << PART_REST | rest : 0;
    *m->memory = (*m->memory & ~(((UINT64_C(1) << PART_BITS) - 1) << shift)) | part << shift;
}

/* Which message of a handshake record goes on in the next one. */
static void learn_part(struct message *m, struct span record)
{
    uint32_t part = recall_part(m);
    size_t rest = part & REST;
    struct span body = span_part(record, HEADER, record.left);
    if (rest > body.left) {
        keep_part(m, part >> REST_BITS, rest - body.left);
        return;
    }
    keep_part(m, 0, 0);
    if (m->flags & SECRET || !is_clear(record, m->flags, rest))
        return;
    struct span run = span_part(body, rest, body.left), left = span_part(run, whole_messages(run, false), run.left);
    if (left.left >= HANDSHAKE_HEADER && field_value_name(&message_common[0], left.at[0]) &&
        message_length(left) <= MESSAGE_MOST)
        keep_part(m, left.at[0], message_length(left) - left.left);
}

/* What a whole record tells about those behind it; whether it tells anything. */
static bool learn(struct message *m, struct span record)
{
    uint64_t before = *m->memory;
    if (record.at[0] == CHANGE_CIPHER_SPEC)
        *m->memory |= 1u << m->end;
    else if (record.at[0] == HANDSHAKE && record.left > HEADER) {
        if (record.at[HEADER] == SERVER_HELLO && is_clear(record, 0, 0) && chooses_tls13(record))
            *m->memory |= MEMORY_TLS13;
        learn_part(m, record);
    }
    return *m->memory != before;
}

/* As many records as are whole, as long as all are to be read the same way. */
static enum frame frame(struct message *m, struct span rest)
{
    bool tls13 = *m->memory & MEMORY_TLS13;
    m->told = recall_part(m);
    m->flags =
        (uint8_t)((*m->memory >> m->end & 1 && !tls13 ? SECRET : 0) | (tls13 ? TLS13 : 0) | (m->told ? GOES_ON : 0));
    size_t at = 0;
    while (at < rest.left) {
        struct span record = span_part(rest, at, rest.left);
        bool valid = is_record(record);
        size_t length = valid ? record_length(record) : 0;
        if (!valid || !length || length > record.left) {
            m->length = at;
            if (at)
                return FRAME_WHOLE;
            m->length = length;
            return valid ? FRAME_MORE : FRAME_NONE;
        }
        at += length;
        record.left = length;
        if (learn(m, record))
            break;
    }
    m->length = at;
    return at ? FRAME_WHOLE : FRAME_MORE;
}

static bool probe(struct span segment, enum probe how)
{
    if (segment.left < HEADER || !is_record(segment) || !load_be16(segment.at + 3))
        return false;
    if (how == PROBE_PORT)
        return true;
    bool change = segment.at[0] == CHANGE_CIPHER_SPEC && load_be16(segment.at + 3) == 1;
    return (segment.at[0] == HANDSHAKE || segment.at[0] == APPLICATION_DATA || change) && segment.at[2] <= 3;
}

/* --- dissect --- */

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t wire = self->end - self->offset, captured = in->left, at = 0;
    enum verdict verdict = VERDICT_WHOLE;
    while (at < in->left) {
        struct span rest = span_part(*in, at, in->left);
        size_t length = record_length(rest);
        if (!is_record(rest))
            break;
        if (!length || length > rest.left)
            verdict = VERDICT_CUT;
        at += length && length < rest.left ? length : rest.left;
    }
    self->length = (uint32_t)at;
    span_pull(in, at);
    if (!at)
        return VERDICT_BROKEN;
    return wire > captured && (verdict == VERDICT_CUT || at == captured) ? VERDICT_CUT : VERDICT_WHOLE;
}

/* --- summary --- */

static void write_number(const struct field *row, uint64_t number, struct buffer *out)
{
    const char *name = field_value_name(row, number);
    if (name)
        buffer_text(out, name);
    else
        buffer_format(out, "%s %u", row->title, (unsigned)number);
}

/* A client's hello names whom it calls; a server's, the version and cipher that it chose. */
static void write_hello(struct span message, struct buffer *out)
{
    bool client = message.at[0] == CLIENT_HELLO;
    const struct field *rows = client ? client_hello_fields : server_hello_fields;
    struct layer layer = { 0 };
    struct place place = { .layer = &layer, .rows = rows, .bytes = message };
    struct value value;
    struct option option;
    uint64_t version = message.left >= 6 ? load_be16(message.at + 4) : 0;
    struct span name = { 0 };
    if (field_read(&rows[client ? ROW_EXTENSIONS_LENGTH : ROW_SERVER_EXTENSIONS_LENGTH], &place, 0, &value))
        while (tlv_next(&extension_set, &value.bytes, &option)) {
            if (option.tlv->kind == SERVER_NAME && option.bytes.left > 9)
                name = span_part(option.bytes, 9, load_be16(option.bytes.at + 7));
            else if (!client && option.tlv->kind == SUPPORTED_VERSIONS && option.bytes.left >= 6)
                version = load_be16(option.bytes.at + 4);
        }
    if (client && name.left) {
        buffer_char(out, ' ');
        buffer_escaped(out, name.at, name.left);
    }
    if (client)
        return;
    buffer_char(out, ' ');
    write_number(&rows[0], version, out);
    if (field_read(&rows[ROW_SUITE - 1], &place, 0, &value)) {
        buffer_char(out, ' ');
        write_number(&rows[ROW_SUITE - 1], value.u, out);
    }
}

static void write_handshake(struct span record, uint8_t flags, size_t old, struct buffer *out)
{
    if (!is_clear(record, flags, old)) {
        buffer_text(out, "Encrypted Handshake");
        return;
    }
    struct option option;
    bool first = true;
    if (old) {
        buffer_text(out, "Handshake continued");
        first = false;
    }
    for (struct span run = span_part(record, HEADER + old, record.left); tlv_next(&message_set, &run, &option);) {
        if (!first)
            buffer_text(out, ", ");
        first = false;
        write_number(&message_common[0], option.bytes.at[0], out);
        if (option.tlv->fields)
            write_hello(option.bytes, out);
    }
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    enum { SHOWN = 6 };
    struct option option;
    unsigned shown = 0, data = 0;
    uint8_t flags = layer->flags;
    const uint8_t *first = layer_header(packet, layer).at;
    for (struct span run = layer_header(packet, layer); tlv_next(&record_set, &run, &option);) {
        uint8_t type = option.bytes.at[0];
        if (type == APPLICATION_DATA && data++)
            continue;
        if (shown == SHOWN) {
            buffer_text(out, ", ...");
            return;
        }
        if (shown++)
            buffer_text(out, ", ");
        if (type == HANDSHAKE) {
            write_handshake(option.bytes, flags, old_part(layer, (size_t)(option.bytes.at - first), option.bytes), out);
            continue;
        }
        flags |= type == CHANGE_CIPHER_SPEC ? SECRET : 0;
        if (type & OLD_RECORD) {
            buffer_text(out, "Client Hello");
            continue;
        }
        write_number(&record_common[0], type, out);
        if (type == ALERT && option.bytes.left == HEADER + 2) {
            buffer_char(out, ' ');
            write_number(&alert_fields[1], option.bytes.at[HEADER + 1], out);
        }
    }
    if (data > 1)
        buffer_format(out, " (%u records)", data);
}

static const struct key keys[] = {
    { KEY_TCP_PORT, 443, 0 },
    { KEY_TCP_PORT, 324, 0 },
    { KEY_TCP_PORT, 465, 0 },
    { KEY_TCP_PORT, 636, 0 },
    { KEY_TCP_PORT, 802, 0 },
    { KEY_TCP_PORT, 853, 0 },
    { KEY_TCP_PORT, 993, 0 },
    { KEY_TCP_PORT, 995, 0 },
    { KEY_TCP_PORT, 1300, 0 },
    { KEY_TCP_PORT, 2221, 0 },
    { KEY_TCP_PORT, 2443, 0 },
    { KEY_TCP_PORT, 3249, 0 },
    { KEY_TCP_PORT, 3250, 0 },
    { KEY_TCP_PORT, 3251, 0 },
    { KEY_TCP_PORT, 3252, 0 },
    { KEY_TCP_PORT, 3496, 0 },
    { KEY_TCP_PORT, 5061, 0 },
    { KEY_TCP_PORT, 5671, 0 },
    { KEY_TCP_PORT, 5684, 0 },
    { KEY_TCP_PORT, 5868, 0 },
    { KEY_TCP_PORT, 8883, 0 },
    { KEY_TCP_PORT, 11207, 0 },
    { KEY_TCP_PORT, 19999, 0 },
    { KEY_TCP_PORT, 27017, 0 },
    { 0 },
};

const struct protocol tls_protocol = {
    .name = "tls",
    .label = "TLS",
    .title = N_("Transport Layer Security"),
    .rfc = "RFC 8446",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .frame = frame,
    .probe = probe,
    .known = 1 << PROBE_STREAM,
    .first = "\x14\x16\x17",
    .summary = summary,
    .leaf = true,
};
