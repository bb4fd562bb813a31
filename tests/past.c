/* Going through time by copies must end in the tables that reading from the first packet on gives. */
#include "ui/past.h"
#include "dissectors/registry.h"
#include "track/sockets.h"
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t seed = 7;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

static void count_listener(void *context, const struct socket *socket)
{
    uint64_t *sum = context;
    if (socket->state == TCP_LISTEN)
        *sum += 1 + socket->local_port * UINT64_C(65537) + socket->local[socket->size - 1];
}

static uint64_t listeners(struct sockets *sockets)
{
    struct sockets_query query = { .listeners = true, .tcp = true };
    uint64_t sum = 0;
    sockets_list(sockets, &query, count_listener, &sum);
    return sum;
}

/* Datagrams that were put together, as connections. */
static unsigned udp_count(struct past *past)
{
    const struct flow_table *flows = &past_tracker(past)->flows;
    unsigned count = 0;
    for (uint32_t i = 0; i < flows->count; i++)
        count += flow_at(flows, i)->protocol == 17;
    return count;
}

static void same_tables(struct past *a, struct past *b, const char *path)
{
    const struct flow_table *x = &past_tracker(a)->flows, *y = &past_tracker(b)->flows;
    uint8_t room[2][4];
    cr_assert_eq(x->count, y->count, "%s: %u and %u", path, x->count, y->count);
    cr_assert_eq(x->live, y->live);
    cr_assert_eq(past_tracker(a)->tcp_streams, past_tracker(b)->tcp_streams);
    cr_assert_eq(past_tracker(a)->udp_streams, past_tracker(b)->udp_streams);
    for (uint32_t i = 0; i < x->count; i++) {
        const struct flow *f = flow_at(x, i), *g = flow_at(y, i);
        cr_assert_eq(memcmp(f, g, sizeof *f), 0, "%s: entry %u as of packet %zu", path, i, (size_t)past_at(a));
        cr_assert_eq(memcmp(flow_detail_at(x, i), flow_detail_at(y, i), sizeof(struct flow_detail)), 0);
        for (unsigned end = 0; end < 2; end++)
            cr_assert_eq(memcmp(flow_address(x, f, end, room[0]), flow_address(y, g, end, room[1]),
                                f->flags & FLOW_IPV6 ? 16 : 4),
                         0);
    }
    cr_assert_eq(listeners(past_sockets(a)), listeners(past_sockets(b)));
}

static void go(struct past *past, uint64_t number, bool interrupted)
{
    struct error error;
    cr_assert_eq(past_go(past, number, &error), 0, "%s", error.text);
    if (interrupted) { /* by a key, somewhere on the way */
        for (unsigned i = dice(4); i; i--)
            past_step(past, monotonic() + 20000);
        return;
    }
    while (past_step(past, monotonic() + 1000000))
        ;
    cr_assert_eq(past_at(past), number);
}

/* Returns how many UDP conversations there are at the end. */
static unsigned travel(const char *path, unsigned journeys)
{
    unsigned udp = 0;
    struct store *store;
    struct past *past, *plain;
    struct error error;
    if (store_open(&store, path, &error))
        return 0;
    while (store_state(store) != STORE_READY && store_step(store, monotonic() + 10000000))
        ;
    uint64_t all = store_tracked(store);
    if (all) {
        cr_assert_eq(past_open(&past, store, &error), 0, "%s", error.text);
        past_copy_each(past, all / 59 + 1);
        for (unsigned i = 0; i < journeys; i++) {
            uint64_t number = i ? dice((uint32_t)all) + 1 : all;
            if (!dice(3))
                go(past, dice((uint32_t)all) + 1, true);
            go(past, number, false);
            cr_assert_eq(past_open(&plain, store, &error), 0, "%s", error.text);
            past_copy_each(plain, UINT64_MAX);
            go(plain, number, false);
            cr_assert_eq(past_copies(plain), 0u);
            same_tables(past, plain, path);
            udp = i ? udp : udp_count(plain);
            past_close(plain);
        }
        cr_assert(past_copies(past) > 0 || all < 2, "%s: no copy was made", path);
        past_close(past);
    }
    store_close(store);
    return udp;
}

Test(past, copies_lead_to_the_same_tables_as_the_first_packet, .timeout = 120)
{
    glob_t paths;
    registry_open();
    cr_assert_eq(glob(TESTDATA "/*.pcap*", 0, NULL, &paths), 0);
    for (size_t i = 0; i < paths.gl_pathc; i++)
        travel(paths.gl_pathv[i], 20);
    globfree(&paths);
}

/* Many conversations of both families, so that tables have many pieces, and halves of datagrams all over. */
static void write_many(const char *path)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    static const uint8_t header[24] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [16] = 0xff, 0xff, [20] = 101 }; /* RAW */
    fwrite(header, 1, sizeof header, f);
    for (uint32_t i = 0; i < 60000; i++) {
        uint8_t packet[60] = { 0 };
        uint32_t size = i % 3 ? 40 : 60, who = dice(40000);
        if (i % 3 == 0) { /* IPv6 */
            static const uint8_t v6[8] = { 0x60, 0, 0, 0, 0, 20, 6, 64 };
            memcpy(packet, v6, sizeof v6);
            packet[8] = packet[24] = 0x20;
            memcpy(packet + 12, &who, 4);
            packet[39] = 1;
        } else {
            static const uint8_t v4[12] = { 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6 };
            memcpy(packet, v4, sizeof v4);
            memcpy(packet + 12, &who, 4);
            packet[16] = 10;
        }
        uint8_t *tcp = packet + size - 20;
        tcp[0] = (uint8_t)(who >> 8);
        tcp[1] = (uint8_t)who;
        tcp[3] = 80;
        tcp[12] = 0x50;
        tcp[13] = (uint8_t)(dice(4) ? 0x10 : 0x02);
        if (i % 3 && (i % 1000 == 1 || i % 1000 == 502)) {
            /* half a UDP datagram of 36 bytes; the other half comes 501 packets later, or never */
            static const uint8_t host[4] = { 10, 1, 1, 1 };
            bool first = i % 1000 == 1;
            memcpy(packet + 12, host, sizeof host);
            packet[3] = first ? 36 : 40;
            packet[5] = (uint8_t)(i / 1000);
            packet[6] = first ? 0x20 : 0;
            packet[7] = first ? 0 : 2;
            packet[9] = 17;
            tcp[4] = 0;
            tcp[5] = 36;
            uint32_t sum = 0; /* fragments with a wrong checksum are not put together */
            for (unsigned k = 0; k < 20; k += 2)
                sum += load_be16(packet + k);
            sum = ~((sum & 0xffff) + (sum >> 16));
            packet[10] = (uint8_t)(sum >> 8);
            packet[11] = (uint8_t)sum;
        }
        uint32_t record[4] = { 1700000000 + i / 1000, i % 1000 * 1000, size, size };
        fwrite(record, sizeof record, 1, f);
        fwrite(packet, 1, size, f);
    }
    cr_assert_eq(fclose(f), 0);
}

Test(past, copies_hold_tables_of_many_pieces, .timeout = 120)
{
    char path[] = "/tmp/peel-past-XXXXXX";
    registry_open();
    close(mkstemp(path));
    write_many(path);
    cr_assert_gt(travel(path, 12), 10u, "no datagram was put together");
    unlink(path);
}
