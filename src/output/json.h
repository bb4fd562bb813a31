/* -T json: a packet as one JSON object on a line (JSON Lines).
 *
 *   {"frame.number":1,"frame.time_epoch":"1700000000.123456789","frame.len":74,...,
 *    "layers":[{"eth":{"eth.dst":"...",...}},{"ip":{...}},{"tcp":{...,"tcp.option_kind":[1,1,8]}}]}
 *
 * - Layers stand in order, each its own object; keys are the fields' abbreviations, none twice in an object. Shared
 *   names (ip.addr) are not printed.
 * - A field that may occur more than once in a layer (FIELD_MANY, a row with a stride, every row of options, a name
 *   that is both an option's and the header's) is an array, always, in order of occurrence. Rows of one table that
 *   share a name are alternatives: the first one that is there counts.
 * - Numbers and booleans are JSON's own; addresses, times (a double loses nanoseconds) and bytes (hex) are strings,
 *   valid UTF-8 whatever the packet held. What is absent has no key: a packet without a time has no time fields.
 * - A layer that is not whole says so in a key of its own: "_verdict":"cut" (the capture ends before the header does)
 *   or "_verdict":"malformed" (it contradicts itself or what encloses it).
 *
 * Texts are kept from packet to packet (json_plan.h tells how). That takes 14 MiB at most, where each protocol there is
 * occurs, and less than 2 MiB for Ethernet, IP, TCP and UDP. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "protocol/packet.h"

struct json;

/* Returns 0 or ERROR_MEMORY. The caller frees with json_close, which takes NULL, too. */
int json_open(struct json **json, struct error *error);
void json_write(struct json *json, struct buffer *out, const struct packet *packet);
void json_close(struct json *json);
