/* r0 and r2: the list and its end, r1: the weights, r3: the sums. The first round is short by what the entries lack to a multiple
 * of four: bits 2 and 3 of 12 times their number. */
__attribute__((naked, noinline)) static void @_products(
    __attribute__((unused)) const uint32_t *list, __attribute__((unused)) const uint32_t *w,
    __attribute__((unused)) const uint32_t *end, __attribute__((unused)) uint32_t *sums)
{
    __asm__("push {r3-r11, lr}\n\t"
            "mov r10, #0\n\tmov r11, #0\n\tmov r12, #0\n\tmov lr, #0\n\t"
            "mov r8, #0x000f000f\n\tmov r9, #0x0f0f0f0f\n\t"
            "subs r3, r2, r0\n\tbeq 9f\n\tlsls r3, r3, #29\n\tbcc 5f\n\tbmi 4f\n\tb 3f\n"
            "5:\n\tbmi 2f\n"
            "1:\n\t" UPPER_FOUR "\n"
            "2:\n\t" UPPER_FOUR "\n"
            "3:\n\t" UPPER_FOUR "\n"
            "4:\n\t" UPPER_FOUR
            "cmp r0, r2\n\tbne 1b\n"
            "9:\n\tpop {r3}\n\tstm r3, {r10, r11, r12, lr}\n\tpop {r4-r11, pc}\n");
}
