#include "protocol/tlv.h"

static size_t load(const uint8_t *bytes, uint8_t size)
{
    return size == 2 ? load_be16(bytes) : *bytes;
}

static const struct tlv *find_kind(const struct tlv_set *set, size_t kind)
{
    const struct tlv *tlv = set->kinds;
    while (tlv->kind != kind && tlv[1].title)
        tlv++;
    return tlv;
}

bool tlv_next(const struct tlv_set *set, struct span *run, struct option *option)
{
    if (!run->left)
        return false;
    size_t head = (size_t)set->kind_size + set->length_size;
    *option = (struct option){ .bytes = *run };
    const struct tlv *tlv = set->kinds;
    if (run->left < set->kind_size) {
        option->broken = true;
    } else {
        tlv = find_kind(set, set->head ? SIZE_MAX : load(run->at, set->kind_size));
    }
    option->tlv = tlv;
    size_t length = set->kind_size;
    if (set->measure) {
        length = set->measure(*run);
        option->broken = !length || length > run->left;
    } else if (!option->broken && !tlv->alone) {
        if (run->left < head) {
            option->broken = true;
        } else {
            length = load(run->at + set->kind_size, set->length_size) * set->unit + head - set->included;
            option->broken = length < head || length > run->left;
        }
    }
    if (option->broken) {
        *run = (struct span){ 0 };
        return true;
    }
    option->bytes.left = length;
    span_pull(run, length);
    if (set->head) {
        size_t kind = SIZE_MAX;
        option->head = set->head(option->bytes, &kind);
        option->tlv = find_kind(set, kind);
    }
    if (tlv->stop)
        *run = (struct span){ 0 };
    return true;
}
