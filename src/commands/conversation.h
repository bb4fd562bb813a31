/* The one conversation that follow, ladder and explain are about: how the user names it, and its packets one after
 * another. Operands:
 *
 *     7, tcp.stream==7, udp.stream==7    its number, as tshark counts
 *     10.0.0.1:1234 10.0.0.2:80          both ends, in any order; [2001:db8::1]:80
 *     10.0.0.2:80                        the first one with this end
 *     anything else                      a pcap-filter: the conversation of the first packet that passes
 *     nothing                            the first TCP conversation, or the first UDP one where there is none
 *
 * Once its ends are known, packets of others are refused by a look at addresses and ports, before they are taken apart.
 * A filter's conversation is read from its beginning where the captures can be read twice, else (a pipe) from the
 * packet that passed. */
#pragma once
#include "commands/naming.h"
#include "commands/source.h"
#include "output/ends.h"

enum conversation_choice { CHOOSE_FIRST, CHOOSE_STREAM, CHOOSE_ENDS, CHOOSE_FILTER };

/* Packets that are not of the conversation, but belong to it. */
enum companion { COMPANION_ARP = 1, COMPANION_ICMP = 2, COMPANION_DNS = 4, COMPANION_UDP = 8 };

struct conversation_end {
    uint8_t address[16]; /* network byte order */
    uint8_t size;        /* 4 or 16; 0: not known */
    uint16_t port;
};

struct conversation {
    struct source source; /* the command sets levels and wants before conversation_begin */
    unsigned companions;  /* enum companion */
    struct naming naming; /* of both ends; opened by conversation_begin */
    /* what is asked for */
    enum conversation_choice choice;
    uint8_t protocol; /* 6, 17; 0: either */
    uint32_t stream;  /* its number; once known, as the tracker counts, which passes over what is refused */
    struct conversation_end end[2];
    unsigned ends; /* how many are known; from `known` on both */
    bool named;    /* by its ends */
    /* at work */
    struct source asked;        /* as the source was before it was opened */
    bool known;                 /* both ends and the protocol */
    bool found;                 /* a packet of it was read */
    bool again;                 /* the captures can be read more than once */
    bool over;                  /* both ends are closed */
    bool server_first;          /* end[0] is the server's */
    uint32_t skip;              /* so many earlier conversations on the same ports are passed over */
    uint32_t turns;             /* how many were met, the one that is read included */
    uint32_t turn;              /* the number of the last one of these */
    uint32_t more;              /* how many came afterwards on the same ports */
    uint32_t later;             /* the number of the last one of those */
    uint8_t plain;              /* bit 0, 1: packets from end[0], end[1] were seen that lie in no tunnel */
    uint64_t pair[2];           /* of IPv4 addresses as they stand in a header, either way */
    uint8_t tunnel_ports[8192]; /* a bit a UDP port */
    uint64_t taken;             /* packets returned */
    int64_t since;              /* companions are wanted from then on */
    const struct layer *layer;  /* of source.packet, the conversation's TCP or UDP layer; NULL: a companion */
    unsigned long long most;
};

/* One of NAMING_ROWS or of the source's: returns as source_option. */
int conversation_option(struct conversation *conversation, int letter, const char *argument);

#define CONVERSATION_USAGE "-r FILE [OPTIONS] [STREAM | ADDRESS:PORT [ADDRESS:PORT] | FILTER...]"

/* Reads the operands. Returns 0 or EXIT_USAGE, and said so. */
int conversation_operands(struct conversation *conversation, int argc, char **argv);
/* Finds what has to be found first, and opens the source. Returns 0 or a negative error. */
int conversation_begin(struct conversation *conversation, struct error *error);
/* The next packet, in source.packet, with `layer`. Returns 1, 0 behind the last one, or a negative error;
 * ERROR_NOT_FOUND behind the last one if there was none at all. */
int conversation_next(struct conversation *conversation, struct error *error);
void conversation_leave(struct conversation *conversation);

/* What --with says: companions, by name. Returns 0 or EXIT_USAGE, and said so. */
int conversation_with(struct conversation *conversation, const char *words);
/* Both ends, the client first, where they were found before the reading; else nothing is done. */
void conversation_addresses(const struct conversation *conversation, struct ends *ends);
/* Says on standard error that there were more conversations on the same ports, if it was named by its
 * ends and there were. */
void conversation_more(const struct conversation *conversation);
