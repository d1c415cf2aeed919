
/* The products of four outputs. A word holds the weights of two of them for four inputs, the first's in the low nibbles, with 8
 * added, so that they are positive.
 *
 * DSP: with X = (x1, x3) and Z = (256 * x0 - x1, 256 * x2 - x3) in halves of a word, 256 times the four products are
 * Z * (w0, w2) + X * (w0 + 256 * w1, w2 + 256 * w3). Sums wrap around on the way.
 *
 * Elsewhere ((w0 | w2 << 16) * (x2 | x0 << 16) + (w1 | w3 << 16) * (x3 | x1 << 16)) >> 16 are the four products exactly: the
 * lower ones are below 2^16, the upper ones fall out of the word. */
#if UPPER_PATH == 2
#define UPPER_SUM(products, sum) ((int32_t)(((products) << 4) - ((sum) << 15)) >> 8)
#else
#define UPPER_SUM(products, sum) ((int32_t)(16 * (products) - 128 * (sum)))
#endif
#if UPPER_ASM && UPPER_PATH == 2
/* A compiler keeps the sums in memory, since it loads ahead, and does not load words by one instruction. */
#define UPPER_TWO(first, second, w) \
    "and r3, r8, " w "\n\tsmlad " first ", r3, r4, " first "\n\tand r3, r9, " w "\n\tsmlad " first ", r3, r5, " first "\n\t" \
    "and r3, r8, " w ", lsr #4\n\tsmlad " second ", r3, r4, " second "\n\t" \
    "and r3, r9, " w ", lsr #4\n\tsmlad " second ", r3, r5, " second "\n\t"
#define UPPER_FOUR "ldmia r0!, {r3, r4, r5}\n\tadd r3, r1\n\tldmia r3, {r6, r7}\n\t" \
    UPPER_TWO("r10", "r11", "r6") UPPER_TWO("r12", "lr", "r7")
THUMB2
#elif UPPER_ASM && __ARM_ARCH_ISA_THUMB == 2
#define UPPER_TWO(first, second, w) \
    "and r3, r2, " w "\n\tand r8, r2, " w ", lsr #8\n\tmul r3, r3, r4\n\tmla r3, r8, r5, r3\n\t" \
    "and r8, r2, " w ", lsr #4\n\tand " w ", r2, " w ", lsr #12\n\tadd " first ", " first ", r3, lsr #16\n\t" \
    "mul r8, r8, r4\n\tmla r8, " w ", r5, r8\n\tadd " second ", " second ", r8, lsr #16\n\t"
#define UPPER_FOUR "ldmia r0!, {r3, r4, r5}\n\tadds r3, r3, r1\n\tbcs 9f\n\tldmia r3, {r6, r7}\n\t" \
    UPPER_TWO("r10", "r11", "r6") UPPER_TWO("r12", "lr", "r7")
#define UPPER_MASK "mov r2, #0x000f000f\n\t"
THUMB2_WORDS
#elif UPPER_ASM
#define UPPER_TWO(first, second, at) "ldr r3, [r1, #" at "]\n\tmovs r6, r3\n\tlsrs r7, r3, #8\n\tands r6, r2\n\tands r7, r2\n\t" \
    "muls r6, r4, r6\n\tmuls r7, r5, r7\n\tadds r6, r7\n\tlsrs r6, r6, #16\n\tadd " first ", r6\n\tlsrs r7, r3, #12\n\t" \
    "lsrs r3, r3, #4\n\tands r7, r2\n\tands r3, r2\n\tmuls r7, r5, r7\n\tmuls r3, r4, r3\n\tadds r3, r7\n\t" \
    "lsrs r3, r3, #16\n\tadd " second ", r3\n\t"
#define UPPER_FOUR "ldmia r0!, {r1, r4, r5}\n\tadd r1, r12\n\t" UPPER_TWO("r8", "r9", "0") UPPER_TWO("r10", "r11", "4")
#define UPPER_MASK "movs r3, #15\n\tlsls r2, r3, #16\n\torrs r2, r3\n\t"
THUMB1
#else
static uint32_t @_dot(uint32_t sum, uint32_t w, uint32_t first, uint32_t second)
{
#if UPPER_PATH == 2
    const int32_t half = __smlad((int16x2_t)(w & 0x000f000fu), (int16x2_t)first, (int32_t)sum);
    return (uint32_t)__smlad((int16x2_t)(w & 0x0f0f0f0fu), (int16x2_t)second, half);
#else
    return sum + (((w & 0x000f000fu) * first + (w >> 8 & 0x000f000fu) * second) >> 16);
#endif
}

static void @_products(const uint32_t *list, const uint32_t *w, const uint32_t *end, uint32_t *sums)
{
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    for (; list != end; list += 3) {
        const uint32_t *const at = w + list[0] / 4;
        a = @_dot(a, at[0], list[1], list[2]);
        b = @_dot(b, at[0] >> 4, list[1], list[2]);
        c = @_dot(c, at[1], list[1], list[2]);
        d = @_dot(d, at[1] >> 4, list[1], list[2]);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#endif
