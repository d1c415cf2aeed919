
/* Which instructions the sums use; the results are the same. Chosen by the core that the compiler is told, or by a definition:
 * 0 plain C; 1 words of 32 bits, two products in one multiplication; 2 the DSP extension of Cortex-M4, M7 and M33; 3 the vectors
 * of Cortex-M55 and M85 (MVE). */
#ifndef UPPER_PATH
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(__ARM_BIG_ENDIAN)
#define UPPER_PATH 3
#elif defined(__ARM_FEATURE_DSP) && (!defined(__GNUC__) || defined(__clang__) || __GNUC__ >= 10)
#define UPPER_PATH 2
#elif defined(__arm__) || (defined(__riscv_xlen) && __riscv_xlen == 32)
#define UPPER_PATH 1
#else
#define UPPER_PATH 0
#endif
#endif
/* 1 where a function is written in assembly, by the extension of GNU C. */
#ifndef UPPER_ASM
#if defined(__GNUC__) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' \
    && (UPPER_PATH == 1 || UPPER_PATH == 2)
#define UPPER_ASM 1
#else
#define UPPER_ASM 0
#endif
#endif
#if UPPER_PATH == 2
#include <arm_acle.h>
#elif UPPER_PATH == 3
#include <arm_mve.h>
#endif
