/* What the example sketch needs of Arduino, for tests: `avr.cpp` writes to the serial port of an ATmega328P, `host.cpp` to the
 * standard output of this machine. The program calls setup() and loop() once. */
#pragma once

#include <stdint.h>

class __FlashStringHelper;

#ifdef __AVR__
#include <avr/pgmspace.h>
#define F(text) reinterpret_cast<const __FlashStringHelper *>(PSTR(text))
#else
#define F(text) reinterpret_cast<const __FlashStringHelper *>(text)
#endif

class SerialPort {
public:
    void begin(unsigned long baud);
    explicit operator bool() const { return true; }
    void print(char character);
    void print(const char *text);
    void print(const __FlashStringHelper *text);
    void print(long number);
    void print(unsigned long number);
    void print(int number) { print(static_cast<long>(number)); }
    void print(unsigned number) { print(static_cast<unsigned long>(number)); }
    void print(double number, int digits = 2);
    void println() { print('\n'); }
    template <class T> void println(T value)
    {
        print(value);
        println();
    }
    void println(double number, int digits)
    {
        print(number, digits);
        println();
    }
};

extern SerialPort Serial;

unsigned long micros();
/* Tests do not wait. */
inline void delay(unsigned long) {}

void setup();
void loop();
