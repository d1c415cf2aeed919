/* A sketch that asks a network of any task for its answers to the rows in `rows.h`, and prints their bytes as hexadecimal digits,
 * and the mean time of an answer. RAW is the type of a raw value, SUFFIX the end of the functions' names, PUSH the function that
 * fills a window, LOGIT the type of a logit where it is not int32_t, TASK one of those below. */
#include <Arduino.h>
#include <model.h>
#include <string.h>

#ifndef __AVR__
#define PROGMEM
#define memcpy_P memcpy
#endif

#include "rows.h"

#ifndef LOGIT
#define LOGIT int32_t
#endif

#define CLASS 0
#define LABELS 1
#define VALUES 2
#define SCORE 3

#define JOIN(a, b, c) a##b##c
#define NAME(a, b, c) JOIN(a, b, c)
#define ASK(verb) NAME(model_, verb, SUFFIX)

static unsigned long answers;
static unsigned long duration;

static void put(const void *words, size_t bytes)
{
    const uint8_t *at = static_cast<const uint8_t *>(words);
    for (size_t n = 0; n < bytes; n++) {
        Serial.print("0123456789abcdef"[at[n] >> 4]);
        Serial.print("0123456789abcdef"[at[n] & 15]);
    }
}

#ifdef PUSH
static model_window window;
#endif
static RAW row[sizeof rows[0] / sizeof(RAW)];

static void answer()
{
#ifdef PUSH
    const model_window *const sample = &window;
#else
    const RAW *const sample = row;
#endif
    const unsigned long start = micros();
#if TASK == CLASS
    const int32_t of_class = static_cast<int32_t>(ASK(classify)(sample));
    duration += micros() - start;
    put(&of_class, sizeof of_class);
#elif TASK == LABELS
    uint8_t bits[(MODEL_OUTPUTS + 7) / 8];
    ASK(labels)(sample, bits);
    duration += micros() - start;
    for (size_t n = 0; n < sizeof bits; n++) {
        const uint32_t word = bits[n];
        put(&word, sizeof word);
    }
#elif TASK == VALUES
    float values[MODEL_OUTPUTS];
    int32_t fixed[MODEL_OUTPUTS];
    ASK(predict)(sample, values);
    duration += micros() - start;
    ASK(predict_fixed)(sample, fixed);
    put(values, sizeof values);
    put(fixed, sizeof fixed);
#else
    const float score = ASK(score)(sample);
    duration += micros() - start;
    const int32_t anomaly = ASK(anomaly)(sample);
    put(&score, sizeof score);
    put(&anomaly, sizeof anomaly);
#endif
#if TASK != SCORE
    LOGIT logits[MODEL_OUTPUTS];
    ASK(logits)(sample, logits);
    put(logits, sizeof logits);
#endif
    Serial.println();
    answers++;
}

void setup()
{
    Serial.begin(1000000);
}

void loop()
{
    if (model_selftest() != 1) {
        Serial.println(F("the self-test failed"));
        return;
    }
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        memcpy_P(row, rows[n], sizeof row);
#ifdef PUSH
        if (!PUSH(&window, row)) {
            continue;
        }
#endif
        answer();
    }
    Serial.print(F("time: "));
    Serial.print(duration / answers);
    Serial.println(F(" us"));
}
