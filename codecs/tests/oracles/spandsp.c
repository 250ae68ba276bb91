/* Encodes or decodes a file of G.722 by SpanDSP: spandsp-g722 encode|decode BIT_RATE SOURCE TARGET */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spandsp.h>

enum { LIMIT = 1 << 20 };

static uint8_t octets[LIMIT];
static int16_t samples[LIMIT];

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int rate = atoi(argv[2]);
    FILE *source = fopen(argv[3], "rb");
    FILE *target = fopen(argv[4], "wb");
    if (source == NULL || target == NULL)
        return 1;

    if (strcmp(argv[1], "encode") == 0) {
        int count = (int) fread(samples, 2, LIMIT, source);
        int length = g722_encode(g722_encode_init(NULL, rate, 0), octets, samples, count);
        fwrite(octets, 1, (size_t) length, target);
    } else {
        int length = (int) fread(octets, 1, LIMIT / 4, source);
        int count = g722_decode(g722_decode_init(NULL, rate, 0), samples, octets, length);
        fwrite(samples, 2, (size_t) count, target);
    }
    return fclose(target) == 0 ? 0 : 1;
}
