/* Hands everything on between one Unix socket and another: what any process in between costs at least. usage: relay PATH PATH */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char data[1 << 16];

static int hand_on(int from, int to)
{
    ssize_t got = read(from, data, sizeof data);

    for (ssize_t sent = 0, wrote; sent < got; sent += wrote)
        if ((wrote = write(to, data + sent, got - sent)) < 0)
            return 0;
    return got > 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX}, there = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0);

    if (argc != 3 || strlen(argv[1]) >= sizeof here.sun_path || strlen(argv[2]) >= sizeof there.sun_path)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    strcpy(here.sun_path, argv[1]);
    strcpy(there.sun_path, argv[2]);
    if (bind(server, (struct sockaddr *) &here, sizeof here) || listen(server, 8)) {
        perror(argv[1]);
        return 1;
    }
    for (;;) {
        struct pollfd ends[2] = {{accept(server, NULL, NULL), POLLIN, 0}, {socket(AF_UNIX, SOCK_STREAM, 0), POLLIN, 0}};
        int open = connect(ends[1].fd, (struct sockaddr *) &there, sizeof there) == 0;

        while (open && poll(ends, 2, -1) > 0)
            for (int end = 0; end < 2; end++)
                if (ends[end].revents)
                    open = hand_on(ends[end].fd, ends[!end].fd) && open;
        close(ends[0].fd);
        close(ends[1].fd);
    }
}
