/* A compiler keeps sums in memory. r0: the list, r1: the weights, r3: the sums. */
__attribute__((naked, noinline)) static void @_products(
    __attribute__((unused)) const uint32_t *list, __attribute__((unused)) const uint32_t *w,
    __attribute__((unused)) const uint32_t *end, __attribute__((unused)) uint32_t *sums)
{
    __asm__("push {r3-r11, lr}\n\t"
            "mov r10, #0\n\tmov r11, #0\n\tmov r12, #0\n\tmov lr, #0\n\t" UPPER_MASK "\n"
            "1:\n\t" UPPER_FOUR UPPER_FOUR "b 1b\n"
            "9:\n\tpop {r3}\n\tstm r3, {r10, r11, r12, lr}\n\tpop {r4-r11, pc}\n");
}
