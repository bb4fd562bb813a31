#include "protocol/checksum.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Sums are taken over words in the machine's order, 32 bits at a time, and turned at the end: RFC 1071, 2 (B). */
static uint32_t turn(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum << 8 | sum >> 8);
}

static uint32_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

uint64_t checksum_words_plain(const uint8_t *bytes, size_t n)
{
    uint64_t a = 0, b = 0;
    for (; n >= 16; n -= 16, bytes += 16) {
        a += (uint64_t)load_le32(bytes) + load_le32(bytes + 4);
        b += (uint64_t)load_le32(bytes + 8) + load_le32(bytes + 12);
    }
    a += b;
    for (; n >= 4; n -= 4, bytes += 4)
        a += load_le32(bytes);
    if (n & 2) {
        a += load_le16(bytes);
        bytes += 2;
    }
    if (n & 1)
        a += *bytes;
    return a;
}

#ifdef __x86_64__
/* Words at even and at odd places of 64-byte pieces, each in its own 64-bit sums. */
__attribute__((target("avx2"))) uint64_t checksum_words_avx2(const uint8_t *bytes, size_t n)
{
    const __m256i low = _mm256_set1_epi64x(0xffffffff);
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (; n >= 64; n -= 64, bytes += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32));
        even = _mm256_add_epi64(even, _mm256_add_epi64(_mm256_and_si256(a, low), _mm256_and_si256(b, low)));
        odd = _mm256_add_epi64(odd, _mm256_add_epi64(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)));
    }
    even = _mm256_add_epi64(even, odd);
    __m128i sum = _mm_add_epi64(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
    return (uint64_t)_mm_cvtsi128_si64(sum) + checksum_words_plain(bytes, n);
}

bool checksum_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
uint64_t checksum_words_avx2(const uint8_t *bytes, size_t n)
{
    return checksum_words_plain(bytes, n);
}

bool checksum_has_avx2(void)
{
    return false;
}
#endif

static inline uint64_t words(const uint8_t *bytes, size_t n)
{
    return n >= 128 && checksum_has_avx2() ? checksum_words_avx2(bytes, n) : checksum_words_plain(bytes, n);
}

uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t n)
{
    return fold(fold(sum) + turn(words(bytes, n)));
}

static inline uint64_t address_words(const uint8_t *address, uint8_t size)
{
    uint64_t sum = load_le32(address);
    if (size == 16)
        sum += (uint64_t)load_le32(address + 4) + load_le32(address + 8) + load_le32(address + 12);
    return sum;
}

static inline uint64_t pseudo_words(const struct network *network, uint8_t protocol, uint32_t length)
{
    return address_words(network->source, network->size) + address_words(network->final, network->size) +
           __builtin_bswap32(length) + ((uint64_t)protocol << 24);
}

uint32_t checksum_pseudo(const struct network *network, uint8_t protocol, uint32_t length)
{
    return turn(pseudo_words(network, protocol, length));
}

const struct value_name checksum_status_names[] = {
    { CHECKSUM_BAD, "Bad" },
    { CHECKSUM_GOOD, "Good" },
    { CHECKSUM_UNVERIFIED, "Unverified" },
    { CHECKSUM_NOT_PRESENT, "Not present" },
    { CHECKSUM_ILLEGAL, "Illegal" },
    { 0, NULL },
};

enum checksum_status checksum_verify(const struct packet *packet, const struct layer *layer, uint8_t protocol)
{
    const struct network *network = layer_network(packet, layer);
    if (!network || !layer_captured(packet, layer) || layer->flags & LAYER_FRAGMENT)
        return CHECKSUM_UNVERIFIED;
    uint32_t length = layer->end - layer->offset;
    uint64_t sum = pseudo_words(network, protocol, length);
    sum += words(packet->buffers[layer->buffer].at + layer->offset, length);
    return checksum_finish(turn(sum)) ? CHECKSUM_BAD : CHECKSUM_GOOD;
}

enum checksum_status checksum_verify_alone(const struct packet *packet, const struct layer *layer)
{
    if (!layer_captured(packet, layer) || layer->flags & (LAYER_QUOTED | LAYER_FRAGMENT))
        return CHECKSUM_UNVERIFIED;
    uint32_t sum = checksum_add(0, packet->buffers[layer->buffer].at + layer->offset, layer->end - layer->offset);
    return checksum_finish(sum) ? CHECKSUM_BAD : CHECKSUM_GOOD;
}

bool checksum_offloaded(const struct packet *packet, const struct layer *layer, uint8_t protocol, uint16_t stored)
{
    const struct network *network = layer_network(packet, layer);
    return network && checksum_pseudo(network, protocol, layer->end - layer->offset) == stored;
}
