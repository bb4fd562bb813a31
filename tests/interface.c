/* The interfaces of the host that the test runs on, and netlink messages that make no sense. */
#include "host/interface.h"
#include "host/netlink.h"
#include "host/stop.h"
#include <criterion/criterion.h>
#include <net/if.h>
#include <unistd.h>

Test(interface, every_interface_that_the_c_library_knows_is_in_the_list)
{
    struct interfaces list;
    struct error error;
    cr_assert_eq(interfaces_read(&list, &error), 0, "%s", error.text);
    struct if_nameindex *names = if_nameindex();
    cr_assert_not_null(names);
    for (struct if_nameindex *n = names; n->if_index; n++) {
        const struct interface *i = interfaces_find(&list, n->if_name);
        cr_assert_not_null(i, "%s", n->if_name);
        cr_expect_eq(i->index, n->if_index);
        cr_expect_eq(interfaces_at(&list, n->if_index), i);
    }
    if_freenameindex(names);
    cr_expect_null(interfaces_find(&list, "no such"));
    interfaces_free(&list);
}

Test(interface, loopback_is_known_by_its_address)
{
    static const uint8_t address[4] = { 127, 0, 0, 1 };
    struct interfaces list;
    struct error error;
    cr_assert_eq(interfaces_read(&list, &error), 0, "%s", error.text);
    const struct interface *i = interfaces_owner(&list, address, 4);
    if (i) { /* a namespace whose loopback is down has none */
        cr_expect(i->loopback);
        cr_expect_eq(i->link_type, 1);
        cr_expect_neq(interfaces_guess(&list), i);
    }
    interfaces_free(&list);
}

Test(interface, what_has_no_link_type_of_its_own_is_captured_cooked)
{
    cr_expect_eq(interface_link_type(1), 1);
    cr_expect_eq(interface_link_type(772), 1);
    cr_expect_eq(interface_link_type(0xfffe), 101);
    cr_expect_eq(interface_link_type(512), 113);
}

Test(netlink, attributes_end_where_their_lengths_lie)
{
    struct netlink_attribute a;
    struct span short_head = { (const uint8_t *)"\x08\0\x01", 3 };
    cr_expect_not(netlink_attribute(&short_head, &a));
    struct span too_small = { (const uint8_t *)"\x03\0\x01\0", 4 };
    cr_expect_not(netlink_attribute(&too_small, &a));
    struct span too_large = { (const uint8_t *)"\x09\0\x01\0abcd", 8 };
    cr_expect_not(netlink_attribute(&too_large, &a));
    struct span good = { (const uint8_t *)"\x05\0\x01\x80Q\0\0\0\x08\0\x02\0\x07\0\0\0", 16 };
    cr_assert(netlink_attribute(&good, &a));
    cr_expect(a.type == 1 && a.value.left == 1 && *a.value.at == 'Q');
    cr_expect_eq(netlink_u32(a.value), 0);
    cr_assert(netlink_attribute(&good, &a));
    cr_expect(a.type == 2 && netlink_u32(a.value) == 7);
    cr_expect_not(netlink_attribute(&good, &a));
}

static volatile sig_atomic_t heard;

static void hear(int number)
{
    heard = number;
}

Test(stop, a_signal_is_heard_though_there_is_always_something_to_read)
{
    struct sigaction action = { .sa_handler = hear };
    sigset_t ours, before, after;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    sigprocmask(SIG_BLOCK, &ours, &before);
    raise(SIGUSR1);
    cr_assert_eq(heard, 0);
    struct pollfd fd = { .fd = ends[0], .events = POLLIN };
    cr_expect_eq(stop_poll(&fd, 1, NULL, &before), 1);
    cr_expect_eq(fd.revents, POLLIN);
    cr_expect_eq(heard, SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &after);
    cr_expect(sigismember(&after, SIGUSR1), "blocked again while nobody waits");
}
