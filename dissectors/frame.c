/* What is known of a packet before its first byte: number, time, lengths. Not a layer of the packet; sinks show it
 * before the layers. */
#include "base/text.h"
#include "protocol/protocol.h"
#include <stddef.h>

static bool number(const struct place *place, struct value *value)
{
    value->u = place->packet->number;
    return true;
}

static bool time_epoch(const struct place *place, struct value *value)
{
    value->i = place->packet->time;
    return place->packet->timed;
}

static bool time_delta(const struct place *place, struct value *value)
{
    value->i = place->packet->time_delta;
    return place->packet->timed;
}

static bool time_relative(const struct place *place, struct value *value)
{
    value->i = place->packet->time_relative;
    return place->packet->timed;
}

static bool wire_length(const struct place *place, struct value *value)
{
    value->u = place->packet->wire_length;
    return true;
}

static bool captured_length(const struct place *place, struct value *value)
{
    value->u = place->packet->buffers[0].left;
    return true;
}

static bool interface(const struct place *place, struct value *value)
{
    value->u = place->packet->interface;
    return true;
}

static bool link_type(const struct place *place, struct value *value)
{
    value->u = place->packet->link_type;
    return true;
}

static bool comment(const struct place *place, struct value *value)
{
    value->bytes = place->packet->comment;
    return place->packet->comment.left > 0;
}

static const struct field fields[] = {
    { "frame.number", N_("Frame Number"), FIELD_UINT, .read = number },
    { "frame.time_epoch", N_("Epoch Time"), FIELD_TIME, .read = time_epoch },
    { "frame.time_delta", N_("Time since previous frame"), FIELD_DURATION, .read = time_delta },
    { "frame.time_relative", N_("Time since first frame"), FIELD_DURATION, .read = time_relative },
    { "frame.len", N_("Frame length on the wire"), FIELD_UINT, .read = wire_length },
    { "frame.cap_len", N_("Frame length stored in the capture"), FIELD_UINT, .read = captured_length },
    { "frame.interface_id", N_("Interface"), FIELD_UINT, .read = interface },
    { "frame.link_type", N_("Link type"), FIELD_UINT, .read = link_type },
    { "frame.comment", N_("Comment"), FIELD_TEXT, .read = comment },
    { 0 },
};

const struct protocol frame_protocol = {
    .name = "frame",
    .label = "Frame",
    .title = N_("Frame"),
    .fields = fields,
};
