
/* The products of four outputs, whose weights for four inputs are a word each.
 *
 * DSP: with X = (x1, x3) and Z = (256 * x0 - x1, 256 * x2 - x3) in halves of a word, 256 times the four products are
 * Z * (w0, w2) + X * (w0 + 256 * w1, w2 + 256 * w3). The latter is the word as it is stored, w1 less by one where w0 is
 * negative, w3 where w2 is. Sums wrap around on the way.
 *
 * Elsewhere 128 is added to weights. ((w0 | w2 << 16) * (x2 | x0 << 16)) >> 16 is w0 * x0 + w2 * x2 exactly: the lower product is
 * below 2^16, the upper one falls out of the word. */
#if UPPER_PATH == 2
#define UPPER_SUM(products, sum) ((void)(sum), (int32_t)(products) >> 8)
#else
#define UPPER_SUM(products, sum) ((int32_t)((products) - 128 * (sum)))
#endif
#if UPPER_ASM && UPPER_PATH == 2
/* A compiler keeps the sums in memory, since it loads ahead, and does not load four words by one instruction. */
#define UPPER_ROW(sum, w) "sxtb16 r3, " w "\n\tsmlad " sum ", r3, r4, " sum "\n\tsmlad " sum ", " w ", r5, " sum "\n\t"
#define UPPER_FOUR "ldmia r0!, {r3, r4, r5}\n\tadd r3, r1\n\tldmia r3, {r6-r9}\n\t" \
    UPPER_ROW("r10", "r6") UPPER_ROW("r11", "r7") UPPER_ROW("r12", "r8") UPPER_ROW("lr", "r9")
THUMB2
#elif UPPER_ASM && __ARM_ARCH_ISA_THUMB == 2
#define UPPER_ROW(sum, w) "and r3, r2, " w "\n\tand " w ", r2, " w ", lsr #8\n\tmul r3, r3, r4\n\t" \
    "mul " w ", " w ", r5\n\tadd " sum ", " sum ", r3, lsr #16\n\tadd " sum ", " sum ", " w ", lsr #16\n\t"
#define UPPER_FOUR "ldmia r0!, {r3, r4, r5}\n\tadds r3, r3, r1\n\tbcs 9f\n\tldmia r3, {r6-r9}\n\t" \
    UPPER_ROW("r10", "r6") UPPER_ROW("r11", "r7") UPPER_ROW("r12", "r8") UPPER_ROW("lr", "r9")
#define UPPER_MASK "mov r2, #0x00ff00ff\n\t"
THUMB2_WORDS
#elif UPPER_ASM
#define UPPER_ROW(sum, at) "ldr r3, [r1, #" at "]\n\tlsrs r7, r3, #8\n\tands r7, r2\n\tands r3, r2\n\tmuls r3, r4, r3\n\t" \
    "muls r7, r5, r7\n\tlsrs r3, r3, #16\n\tlsrs r7, r7, #16\n\tadd " sum ", r3\n\tadd " sum ", r7\n\t"
#define UPPER_FOUR "ldmia r0!, {r1, r4, r5}\n\tadd r1, r12\n\t" \
    UPPER_ROW("r8", "0") UPPER_ROW("r9", "4") UPPER_ROW("r10", "8") UPPER_ROW("r11", "12")
#define UPPER_MASK "movs r3, #255\n\tlsls r2, r3, #16\n\torrs r2, r3\n\t"
THUMB1
#else
static uint32_t @_dot(uint32_t sum, uint32_t w, uint32_t first, uint32_t second)
{
#if UPPER_PATH == 2
    const int32_t half = __smlad(__sxtb16((int8x4_t)w), (int16x2_t)first, (int32_t)sum);
    return (uint32_t)__smlad((int16x2_t)w, (int16x2_t)second, half);
#else
    return sum + ((w & 0x00ff00ffu) * first >> 16) + ((w >> 8 & 0x00ff00ffu) * second >> 16);
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
        b = @_dot(b, at[1], list[1], list[2]);
        c = @_dot(c, at[2], list[1], list[2]);
        d = @_dot(d, at[3], list[1], list[2]);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#endif
