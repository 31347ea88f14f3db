# The trial guest: a boot sector that does what an operating system does first, and tells by
# QEMU's isa-debug-exit port how it went (status 33: well; 35: memory did not keep a value).
# It enters long mode with paging, uses memory, takes timer interrupts while halted, and computes:
# there are computers where KVM exists and interprets every instruction, so slowly that a real
# kernel seems to hang. The bytes are in kvm-trial-program.ts; to make them anew:
#   as --64 kvm-trial.S -o trial.o
#   ld -Ttext 0x7c00 --oformat binary -m elf_x86_64 -e _start trial.o -o trial.img
#   base64 -w 88 trial.img
    .code16
    .globl _start
_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    inb $0x92, %al              # A20
    orb $2, %al
    outb %al, $0x92
    movw $0x1000, %di           # 1000 PML4, 2000 PDPT, 3000 PD, 4000 IDT
    movw $0x1000, %cx
    xorl %eax, %eax
    rep stosl
    movl $0x2003, 0x1000
    movl $0x3003, 0x2000
    movw $0x3000, %di
    movl $0x83, %eax
    movw $512, %cx
1:  movl %eax, (%di)
    addl $0x200000, %eax
    addw $8, %di
    loop 1b
    lgdt gdtr
    movl $0x20, %eax            # PAE
    movl %eax, %cr4
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      # EFER.LME
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    ljmp $8, $long

    .code64
long:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x7c00, %esp
    # Memory: one word in each 2 MiB of the first 32 MiB.
    movl $0x200000, %edi
2:  movq %rdi, (%rdi)
    cmpq (%rdi), %rdi
    jne fail
    addl $0x200000, %edi
    cmpl $0x2000000, %edi
    jb 2b
    # Interrupts: one gate, the old interrupt controller, its timer at 1 ms; wait for 20.
    movl $tick, %eax
    movl $0x4200, %edi
    movw %ax, (%rdi)
    movw $8, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    lidt idtr
    movb $0x11, %al
    outb %al, $0x20
    outb %al, $0xa0
    movb $0x20, %al
    outb %al, $0x21
    movb $0x28, %al
    outb %al, $0xa1
    movb $4, %al
    outb %al, $0x21
    movb $2, %al
    outb %al, $0xa1
    movb $1, %al
    outb %al, $0x21
    outb %al, $0xa1
    movb $0xfe, %al
    outb %al, $0x21
    movb $0xff, %al
    outb %al, $0xa1
    movb $0x34, %al
    outb %al, $0x43
    movb $0xa9, %al
    outb %al, $0x40
    movb $0x04, %al
    outb %al, $0x40
    xorl %ebx, %ebx
    sti
3:  hlt
    cmpl $20, %ebx
    jb 3b
    # Computing: 20 ms on a processor, 0.1 s when translated, minutes when interpreted.
    movl $50000000, %ecx
5:  decl %ecx
    jnz 5b
    # New page tables, and an instruction that always leaves the guest.
    movq %cr3, %rax
    movq %rax, %cr3
    xorl %eax, %eax
    pushq %rbx
    cpuid
    popq %rbx
    movb $0x10, %al
    outb %al, $0xf4
fail:
    movb $0x11, %al
    outb %al, $0xf4
4:  hlt
    jmp 4b
tick:
    pushq %rax
    incl %ebx
    movb $0x20, %al
    outb %al, $0x20
    popq %rax
    iretq
    .balign 8
gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdtr: .word 23
    .long gdt
idtr: .word 0x2ff
    .quad 0x4000
    .org 510
    .byte 0x55, 0xaa
