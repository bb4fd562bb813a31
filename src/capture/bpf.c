#include "capture/bpf.h"
#include "base/text.h"
#include "capture/file.h"
#include <pcap/pcap.h>
#include <stdlib.h>

enum { PROGRAMS_MAX = 16, SNAPLEN = 262144 };

struct program {
    uint16_t link_type;
    bool usable;
    struct bpf_program code;
};

struct bpf {
    char *expression;
    struct program programs[PROGRAMS_MAX];
    unsigned count;
};

int bpf_compile(struct bpf_program *program, const char *expression, uint16_t link_type, uint32_t snap_length,
                struct error *error)
{
    pcap_t *dead = pcap_open_dead(capture_dlt(link_type), (int)snap_length);
    if (!dead)
        return error_set(error, ERROR_MEMORY, _("filter: no memory"));
    int code = 0;
    if (pcap_compile(dead, program, expression, 1, PCAP_NETMASK_UNKNOWN))
        code = error_set(error, ERROR_USAGE, _("filter: '%s': %s"), expression, pcap_geterr(dead));
    pcap_close(dead);
    return code;
}

static int compile(struct bpf *bpf, uint16_t link_type, struct error *error)
{
    struct program *program = &bpf->programs[bpf->count];
    program->link_type = link_type;
    int code = bpf_compile(&program->code, bpf->expression, link_type, SNAPLEN, error);
    program->usable = !code;
    bpf->count++;
    return code;
}

int bpf_open(struct bpf **bpf, const char *expression, uint16_t link_type, struct error *error)
{
    struct bpf *b = calloc(1, sizeof *b);
    if (!b || !(b->expression = strdup(expression))) {
        free(b);
        return error_set(error, ERROR_MEMORY, _("filter: no memory"));
    }
    int code = compile(b, link_type, error);
    if (code) {
        bpf_close(b);
        return code;
    }
    *bpf = b;
    return 0;
}

bool bpf_passes(struct bpf *b, const struct record *record)
{
    const struct program *program = b->programs;
    while (program < b->programs + b->count && program->link_type != record->link_type)
        program++;
    if (program == b->programs + b->count) {
        if (b->count == PROGRAMS_MAX)
            return false;
        compile(b, record->link_type, NULL);
    }
    if (!program->usable)
        return false;
    struct pcap_pkthdr header = { .caplen = (uint32_t)record->bytes.left, .len = record->wire_length };
    return pcap_offline_filter(&program->code, &header, record->bytes.at) != 0;
}

const void *bpf_program_of(const struct bpf *b, unsigned *count)
{
    *count = b->programs[0].code.bf_len;
    return b->programs[0].code.bf_insns;
}

void bpf_close(struct bpf *b)
{
    if (!b)
        return;
    for (unsigned i = 0; i < b->count; i++)
        if (b->programs[i].usable)
            pcap_freecode(&b->programs[i].code);
    free(b->expression);
    free(b);
}
