//===- notaprogram.c - A library that is not a program --------------------===//

int not_a_program(void);

int not_a_program(void) { return 1; }
