/* What a program on an emulated Cortex-M needs without a library: files of the host through semihosting, and a vector table. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stddef.h>

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT = 0x18, SYS_EXIT_EXTENDED = 0x20 };

static int call(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void end(int code)
{
    const uint32_t block[2] = { 0x20026, (uint32_t)code };
    call(SYS_EXIT_EXTENDED, block);
    for (;;) { }
}

/* Modes as of fopen: 1 is "rb", 5 is "wb". */
static int open_file(const char *name, size_t length, uint32_t mode)
{
    const uint32_t block[3] = { (uint32_t)name, mode, length };
    const int file = call(SYS_OPEN, block);
    if (file == -1) {
        call(SYS_WRITE0, "cannot open a file\n");
        end(1);
    }
    return file;
}

static int moved(int operation, int file, void *bytes, size_t length)
{
    const uint32_t block[3] = { (uint32_t)file, (uint32_t)bytes, length };
    return call(operation, block) == 0;
}

void start(void);

/* Gives the program the FPU, where it was compiled for one, before any function saves its registers. */
__attribute__((noinline)) static void reset(void)
{
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    start();
}

/* The stack's top and where to begin; every machine but the microbit has 256 KB at 0x20000000. */
#ifndef STACK_TOP
#define STACK_TOP 0x20040000
#endif
__attribute__((section(".vectors"), used)) static void (*const vectors[2])(void) = {
    (void (*)(void))STACK_TOP, reset
};

#endif
