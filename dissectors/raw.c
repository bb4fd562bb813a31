/* Raw IP (LINKTYPE_RAW): no link header at all; the first four bits tell the version. */
#include "base/text.h"
#include "protocol/protocol.h"

enum {
    LEAST = 8, /* less than that is not looked at */
    LINK_PPP = 9,
    PPP_HEAD = 0xff03, /* RFC 1662, 3.1: some PPP devices call their frames raw, too */
};

static const struct field fields[] = {
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    self->length = 0;
    unsigned version = in->left >= LEAST ? in->at[0] >> 4 : 0;
    if (in->left >= 2 && load_be16(in->at) == PPP_HEAD)
        *next = (struct key){ KEY_LINK, LINK_PPP, 0 };
    else if (version == 4)
        *next = (struct key){ KEY_ETHERTYPE, 0x0800, 0 };
    else if (version == 6)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static const struct key keys[] = {
    { KEY_LINK, 101, 0 },
    { KEY_LINK, 12, 0 }, /* what some systems call it in files, too: their own DLT_RAW */
    { KEY_LINK, 14, 0 },
    { 0 },
};

const struct protocol raw_protocol = {
    .name = "raw",
    .label = "Raw",
    .title = N_("Raw IP"),
    .rfc = "LINKTYPE_RAW",
    .fields = fields,
    .keys = keys,
    .dissect = dissect,
};
