/* `Arduino.h` on this machine. Numbers have all their digits, so that tests can compare their bits. */
#include "Arduino.h"

#include <stdio.h>
#include <time.h>

SerialPort Serial;

void SerialPort::begin(unsigned long) {}
void SerialPort::print(char character) { putchar(character); }
void SerialPort::print(const char *text) { fputs(text, stdout); }
void SerialPort::print(const __FlashStringHelper *text) { fputs(reinterpret_cast<const char *>(text), stdout); }
void SerialPort::print(long number) { printf("%ld", number); }
void SerialPort::print(unsigned long number) { printf("%lu", number); }
void SerialPort::print(double number, int) { printf("%.9g", number); }

unsigned long micros()
{
    return static_cast<unsigned long>(static_cast<double>(clock()) * 1e6 / CLOCKS_PER_SEC);
}

int main()
{
    setup();
    loop();
    return 0;
}
