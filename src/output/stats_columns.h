/* What rows of conversations, endpoints and streams can be sorted by. */
#pragma once

enum stats_by {
    BY_PACKETS,
    BY_BYTES,
    BY_PACKETS_SENT, /* by the client, or by the endpoint */
    BY_PACKETS_GOT,
    BY_BYTES_SENT,
    BY_BYTES_GOT,
    BY_START,
    BY_DURATION,
    BY_RATE,
    BY_FLOWS,
    BY_ADDRESS,
    BY_PEER,
    BY_RTT, /* of TCP streams alone, from here on */
    BY_SLOWEST,
    BY_HANDSHAKE,
    BY_SAMPLES,
    BY_TROUBLE, /* and enum trouble, from here on */
};

/* The column of a name that stats_find_column gave; `otherwise` for NULL. */
enum stats_by stats_by(const char *name, enum stats_by otherwise);
