/* Names in place of numbers, on request: of addresses from the hosts file and from DNS answers in the capture, of ports
 * from the services file, of network cards' makers from the list of OUIs of a Debian package (ieee-data, or
 * Wireshark's). Files that are not there are no error; nothing is asked over the network.
 *
 * Only files are read, never the system's name service, which may go anywhere. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "protocol/packet.h"

struct names;

/* Paths in place of the usual ones; NULL: these. */
struct names_files {
    const char *hosts, *services, *makers;
};

/* hosts must be readable if it was given. Returns 0 or a negative error; the caller closes with names_close, which
 * takes NULL, too. */
int names_open(struct names **names, const struct names_files *files, struct error *error);
void names_close(struct names *names);

/* Takes what a dissected packet's DNS answers tell. */
void names_learn(struct names *names, const struct packet *packet);

/* NULL: none. Of an address it is whatever a packet held: escape it on the way out. */
const char *names_address(const struct names *names, const uint8_t *address, unsigned size);
const char *names_service(const struct names *names, uint8_t protocol, uint16_t port);

/* Writes an end as address_write does, with names where there are some, escaped: "www.example.com:https". protocol: 6,
 * 17; anything else has no services. */
void names_write_end(struct buffer *out, const struct names *names, const uint8_t *address, unsigned size,
                     bool has_port, uint16_t port, uint8_t protocol);
/* A MAC address, its maker in place of the first half where known: "Intel_12:34:56". */
void names_write_mac(struct buffer *out, const struct names *names, const uint8_t mac[6]);
/* What is known of an end as members of a JSON object: ,"client_name":"...","client_service":"..."; nothing where
 * nothing is, or names is NULL. who may be empty. */
void names_write_json(struct buffer *out, const struct names *names, const char *who, const uint8_t *address,
                      unsigned size, uint16_t port, uint8_t protocol);
