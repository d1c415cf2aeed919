/* A compiler keeps the sums in memory. r0 and r2: the list and its end, r1: the weights, r3: the sums. */
__attribute__((naked, noinline)) static void @_products(
    __attribute__((unused)) const uint32_t *list, __attribute__((unused)) const uint32_t *w,
    __attribute__((unused)) const uint32_t *end, __attribute__((unused)) uint32_t *sums)
{
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\tmov r4, r8\n\tmov r5, r9\n\tmov r6, r10\n\tmov r7, r11\n\tpush {r3-r7}\n\t"
            "mov r12, r1\n\tmov lr, r2\n\tmovs r3, #0\n\tmov r8, r3\n\tmov r9, r3\n\tmov r10, r3\n\tmov r11, r3\n\t"
            UPPER_MASK
            "mov r3, lr\n\tsubs r3, r3, r0\n\tbeq 3f\n\tlsls r3, r3, #29\n\tbmi 2f\n"
            "1:\n\t" UPPER_FOUR "\n"
            "2:\n\t" UPPER_FOUR
            "cmp r0, lr\n\tbne 1b\n"
            "3:\n\tpop {r3}\n\tmov r4, r8\n\tmov r5, r9\n\tmov r6, r10\n\tmov r7, r11\n\tstmia r3!, {r4, r5, r6, r7}\n\t"
            "pop {r4-r7}\n\tmov r8, r4\n\tmov r9, r5\n\tmov r10, r6\n\tmov r11, r7\n\tpop {r4-r7, pc}\n\t");
}
