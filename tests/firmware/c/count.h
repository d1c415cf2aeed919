/* Instruction counts as tests/firmware/src/count.rs takes them: SysTick, calibrated by loops of known length, since under -icount
 * QEMU's clock advances by a fixed time for each instruction. */
#ifndef COUNT_H
#define COUNT_H

#include <stdint.h>

static volatile uint32_t *const systick = (volatile uint32_t *)0xe000e010;

/* Ticks, running down in 24 bits; nothing is moved across. */
static uint32_t now(void)
{
    uint32_t ticks;
    __asm__ volatile("" ::: "memory");
    ticks = systick[2];
    __asm__ volatile("" ::: "memory");
    return ticks;
}

static uint32_t since(uint32_t before)
{
    return (before - now()) & 0xffffff;
}

/* Runs 2 * n instructions, and two or three that set it up. */
__attribute__((noinline)) static uint32_t ticks_of_loop(uint32_t n)
{
    const uint32_t before = now();
    __asm__ volatile(".syntax unified\n1: subs %0, %0, #1\n\tbne 1b" : "+l"(n) : : "cc");
    return since(before);
}

static uint32_t calibrated, overhead;

static void start_counting(void)
{
    systick[1] = 0xffffff;
    systick[2] = 0;
    systick[0] = 5;
    calibrated = ticks_of_loop(101000) - ticks_of_loop(1000);
    overhead = now();
    overhead = since(overhead);
}

/* Instructions since `before`, at most eight million. */
static uint32_t instructions(uint32_t before)
{
    const uint32_t ticks = since(before) - overhead;
    return (uint32_t)(((uint64_t)ticks * 200000 + calibrated / 2) / calibrated);
}

#endif
