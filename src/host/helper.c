#include "host/helper.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct question_head {
    uint32_t deed, length; /* of the bytes behind it */
};

struct head {
    int32_t code;
    uint32_t length; /* of the bytes behind it */
    char text[sizeof(struct error)];
};

static bool write_all(int fd, const void *bytes, size_t n)
{
    for (const char *at = bytes; n;) {
        ssize_t done = send(fd, at, n, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t n)
{
    for (char *at = bytes; n;) {
        ssize_t done = recv(fd, at, n, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* The head, and the descriptor with it. */
static bool send_head(int fd, const struct head *head, int passed)
{
    char room[CMSG_SPACE(sizeof passed)] __attribute__((aligned(8))) = { 0 };
    struct iovec bytes = { (void *)(uintptr_t)head, sizeof *head };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
    if (passed >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof passed) };
        memcpy(CMSG_DATA(c), &passed, sizeof passed);
    }
    ssize_t done;
    do
        done = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    return done > 0 && write_all(fd, (const char *)head + done, sizeof *head - (size_t)done);
}

static bool receive_head(int fd, struct head *head, int *passed)
{
    char room[CMSG_SPACE(sizeof *passed)] __attribute__((aligned(8)));
    struct iovec bytes = { head, sizeof *head };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    ssize_t done;
    do
        done = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (done < 0 && errno == EINTR);
    *passed = -1;
    if (done <= 0)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(passed, CMSG_DATA(c), sizeof *passed);
    return read_all(fd, (char *)head + done, sizeof *head - (size_t)done);
}

/* --- the helper's side --- */

const char *helper_text(const struct helper_question *question)
{
    const uint8_t *text = question->bytes.at;
    size_t n = question->bytes.left;
    return n && memchr(text, 0, n) == text + n - 1 ? (const char *)text : NULL;
}

static bool serve(int fd, helper_deed *deed, void *context)
{
    uint8_t bytes[HELPER_QUESTION_MAX];
    struct question_head asked;
    if (!read_all(fd, &asked, sizeof asked) || asked.deed == HELPER_END || asked.length > sizeof bytes)
        return false;
    if (!read_all(fd, bytes, asked.length))
        return false;
    struct helper_question question = { asked.deed, { bytes, asked.length } };
    struct helper_answer answer = { .fd = -1 };
    if (buffer_open(&answer.bytes, -1, 4096))
        return false;
    deed(context, &question, &answer);
    struct head head = { .code = answer.code, .length = (uint32_t)buffer_used(&answer.bytes) };
    memcpy(head.text, answer.error.text, sizeof head.text);
    if (answer.bytes.failed || buffer_used(&answer.bytes) > HELPER_ANSWER_MAX) {
        head.code = ERROR_MEMORY;
        head.length = 0;
    }
    bool good = send_head(fd, &head, answer.fd) && write_all(fd, answer.bytes.start, head.length);
    buffer_free(&answer.bytes);
    return good;
}

static void be_helper(int fd, void (*begin)(void *context), helper_deed *deed, void *context)
{
    /* ^C reaches both; the other process decides. */
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
    /* So that a reader sees the end of our standard output when the other process ends it. */
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (begin)
        begin(context);
    while (serve(fd, deed, context))
        ;
    struct helper_answer last = { .fd = -1 };
    deed(context, &(struct helper_question){ .deed = HELPER_END }, &last);
    _exit(0);
}

/* --- the other side --- */

int helper_start(struct helper *helper, void (*begin)(void *context), helper_deed *deed, void *context,
                 struct error *error)
{
    int pair[2];
    helper->fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return error_set(error, ERROR_SYSTEM, _("helper: %s"), strerror(errno));
    helper->pid = fork();
    if (helper->pid == 0) {
        close(pair[0]);
        be_helper(pair[1], begin, deed, context);
    }
    close(pair[1]);
    if (helper->pid < 0) {
        close(pair[0]);
        return error_set(error, ERROR_SYSTEM, _("helper: %s"), strerror(errno));
    }
    helper->fd = pair[0];
    return 0;
}

static int gone(struct helper_answer *answer)
{
    return answer->code = error_set(&answer->error, ERROR_SYSTEM, "%s", _("helper: it has ended"));
}

static bool put_question(const struct helper *helper, unsigned deed, struct span bytes)
{
    struct question_head asked = { deed, (uint32_t)bytes.left };
    if (helper->fd < 0 || bytes.left > HELPER_QUESTION_MAX)
        return false;
    return write_all(helper->fd, &asked, sizeof asked) && write_all(helper->fd, bytes.at, bytes.left);
}

int helper_request(struct helper *helper, unsigned deed)
{
    return put_question(helper, deed, (struct span){ 0 }) ? 0 : ERROR_SYSTEM;
}

bool helper_ready(const struct helper *helper)
{
    struct pollfd answer = { .fd = helper->fd, .events = POLLIN };
    return poll(&answer, 1, 0) > 0;
}

int helper_answer(struct helper *helper, struct helper_answer *answer)
{
    struct head head = { 0 };
    *answer = (struct helper_answer){ .fd = -1, .bytes.fd = -1 };
    if (helper->fd < 0 || !receive_head(helper->fd, &head, &answer->fd))
        return gone(answer);
    if (head.length > HELPER_ANSWER_MAX || buffer_open(&answer->bytes, -1, head.length + 1))
        return gone(answer);
    if (!read_all(helper->fd, answer->bytes.at, head.length))
        return gone(answer);
    answer->bytes.at += head.length;
    memcpy(answer->error.text, head.text, sizeof answer->error.text);
    answer->error.text[sizeof answer->error.text - 1] = 0;
    return answer->code = head.code;
}

int helper_ask_with(struct helper *helper, unsigned deed, struct span bytes, struct helper_answer *answer)
{
    if (put_question(helper, deed, bytes))
        return helper_answer(helper, answer);
    *answer = (struct helper_answer){ .fd = -1, .bytes.fd = -1 };
    return gone(answer);
}

int helper_ask(struct helper *helper, unsigned deed, struct helper_answer *answer)
{
    return helper_ask_with(helper, deed, (struct span){ 0 }, answer);
}

void helper_stop(struct helper *helper)
{
    if (helper->fd < 0)
        return;
    close(helper->fd);
    helper->fd = -1;
    while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
