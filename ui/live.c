#include "ui/live.h"
#include "base/text.h"
#include "host/helper.h"
#include "host/interface.h"
#include "host/netns.h"
#include "host/privilege.h"
#include <errno.h>
#include <stdlib.h>

enum { DEED_LOOK = 1, DEED_OWNERS };

struct live {
    struct capture *capture;
    struct helper helper;
    char *name;
    struct buffer sockets; /* owned: struct kernel_socket */
    bool asked;
    uint64_t drops;
};

static void begin_helping(void *context)
{
    (void)context;
    interfaces_forget();
    privilege_keep(CAPABILITIES_OWNERS, NULL);
}

static void help(void *context, const struct helper_question *question, struct helper_answer *answer)
{
    struct live *live = context;
    if (question->deed == DEED_LOOK) {
        struct live_standing standing = capture_look(live->capture);
        buffer_put(&answer->bytes, &standing, sizeof standing);
    } else if (question->deed == DEED_OWNERS) {
        answer->code = owner_sockets(&answer->bytes, true, &answer->error);
    }
}

/* What the helper said, if it was asked and is ready or `wait`. */
static void take_answer(struct live *live, bool wait)
{
    struct helper_answer answer;
    if (!live->asked || (!wait && !helper_ready(&live->helper)))
        return;
    live->asked = false;
    if (!helper_answer(&live->helper, &answer)) {
        struct buffer old = live->sockets;
        live->sockets = answer.bytes;
        answer.bytes = old;
    }
    buffer_free(&answer.bytes);
}

static bool ask_to_look(void *context, struct live_standing *standing)
{
    struct live *live = context;
    struct helper_answer answer;
    take_answer(live, true);
    bool good = !helper_ask(&live->helper, DEED_LOOK, &answer) && buffer_used(&answer.bytes) == sizeof *standing;
    if (good)
        memcpy(standing, answer.bytes.start, sizeof *standing);
    buffer_free(&answer.bytes);
    return good;
}

static int open_capture(struct live *live, const struct live_request *request, struct error *error)
{
    struct live_options options = { .interface = request->interface,
                                    .filter = request->filter,
                                    .snap_length = request->snap_length,
                                    .promiscuous = !request->no_promiscuous };
    int code = request->netns ? netns_enter(request->netns, error) : 0;
    if (!code)
        code = capture_open_live(&live->capture, &options, error);
    if (code == ERROR_NOT_FOUND)
        error_set(error, code, _("%s: no such interface ('peel ifaces' lists them)"), request->interface);
    return code;
}

int live_open(struct live **result, const struct live_request *request, struct error *error)
{
    struct live *live = calloc(1, sizeof *live);
    *result = NULL;
    if (live)
        live->helper.fd = -1;
    if (!live || !(live->name = strdup(request->interface)) || buffer_open(&live->sockets, -1, 1024)) {
        live_close(live);
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    }
    int code = open_capture(live, request, error);
    int route = code ? 0 : interfaces_hold(error);
    code = route < 0 ? route : code;
    if (!code)
        code = helper_start(&live->helper, begin_helping, help, live, error);
    if (!code) {
        capture_looks_by(live->capture, ask_to_look, live);
        capture_patience(live->capture, 0);
        code = privilege_drop(error);
    }
    if (code)
        live_close(live);
    else
        *result = live;
    return code;
}

void live_close(struct live *live)
{
    if (!live)
        return;
    if (live->helper.fd >= 0)
        helper_stop(&live->helper);
    capture_close(live->capture);
    buffer_free(&live->sockets);
    free(live->name);
    free(live);
}

struct capture *live_capture(struct live *live)
{
    return live->capture;
}

const char *live_name(const struct live *live)
{
    return live->name;
}

void live_talks(const struct live *live, int talking[2])
{
    talking[0] = live->helper.fd;
    talking[1] = interfaces_hold(NULL); /* as live_open does */
}

const char *live_tick(struct live *live)
{
    static const char *const sentences[] = {
        [LIVE_WENT_DOWN] = N_("the interface went down; waiting for it"),
        [LIVE_VANISHED] = N_("the interface vanished; waiting for one of that name"),
        [LIVE_CAME_BACK] = N_("the interface is back"),
    };
    take_answer(live, false);
    if (!live->asked)
        live->asked = !helper_request(&live->helper, DEED_OWNERS);
    live->drops = capture_live_counts(live->capture).dropped;
    enum live_event event = capture_live_event(live->capture);
    return event == LIVE_NOTHING ? NULL : _(sentences[event]);
}

uint64_t live_drops(const struct live *live)
{
    return live->drops;
}

static bool is_any(const uint8_t *address, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (address[i])
            return false;
    return true;
}

static bool is_socket(const struct kernel_socket *k, unsigned size, const uint8_t *local, uint16_t local_port,
                      const uint8_t *foreign, uint16_t foreign_port)
{
    if (k->local_port != local_port)
        return false;
    bool bound = !k->foreign_port && is_any(k->foreign, k->size); /* a listener, or a UDP socket for anybody */
    if (bound)
        return is_any(k->local, k->size) || (k->size == size && !memcmp(k->local, local, size));
    return k->size == size && k->foreign_port == foreign_port && !memcmp(k->local, local, size) &&
           !memcmp(k->foreign, foreign, size);
}

const struct kernel_socket *live_socket(const struct live *live, uint8_t protocol, unsigned size, const uint8_t *local,
                                        uint16_t local_port, const uint8_t *foreign, uint16_t foreign_port)
{
    const struct kernel_socket *all = (const struct kernel_socket *)live->sockets.start, *bound = NULL;
    size_t count = buffer_used(&live->sockets) / sizeof *all;
    for (size_t i = 0; i < count; i++) {
        const struct kernel_socket *k = &all[i];
        if (k->protocol != protocol || !is_socket(k, size, local, local_port, foreign, foreign_port))
            continue;
        if (k->foreign_port)
            return k;
        bound = k;
    }
    return protocol == 17 ? bound : NULL;
}
