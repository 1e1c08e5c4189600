/* A bare echo on a Unix socket, one connection after the other: what calls are measured against. usage: echo PATH */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char data[1 << 16];

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0);

    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    strcpy(address.sun_path, argv[1]);
    if (bind(server, (struct sockaddr *) &address, sizeof address) || listen(server, 8)) {
        perror(argv[1]);
        return 1;
    }
    for (;;) {
        int connection = accept(server, NULL, NULL);
        ssize_t got;

        while ((got = read(connection, data, sizeof data)) > 0)
            for (ssize_t sent = 0, wrote; sent < got; sent += wrote)
                if ((wrote = write(connection, data + sent, got - sent)) < 0)
                    break; /* The next read sees the end. */
        close(connection);
    }
}
