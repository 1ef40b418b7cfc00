// An RTSP server over Debian's library of live555 that asks for a password, by digest, as no program of the package can be told to:
//
//     server USER PASSWORD FILE.264...
//
// It plays each file under its name, from its beginning for whoever asks, on a port of loopback that was free. One line says where.

#include <cstdio>

#include <BasicUsageEnvironment.hh>
#include <GroupsockHelper.hh>
#include <H264VideoFileServerMediaSubsession.hh>
#include <RTSPServer.hh>

int main(int count, char **words) {
    if (count < 4) {
        std::fprintf(stderr, "usage: server USER PASSWORD FILE.264...\n");
        return 2;
    }
    UsageEnvironment *environment = BasicUsageEnvironment::createNew(*BasicTaskScheduler::createNew());
    UserAuthenticationDatabase users;
    users.addUserRecord(words[1], words[2]);
    ReceivingInterfaceAddr = htonl(INADDR_LOOPBACK);
    ReceivingInterfaceAddr6 = in6addr_loopback;
    RTSPServer *server = RTSPServer::createNew(*environment, 0, &users);
    if (server == nullptr) {
        std::fprintf(stderr, "%s\n", environment->getResultMsg());
        return 1;
    }
    for (int at = 3; at < count; at++) {
        ServerMediaSession *session = ServerMediaSession::createNew(*environment, words[at]);
        // False: whoever asks has the file read for itself.
        session->addSubsession(H264VideoFileServerMediaSubsession::createNew(*environment, words[at], False));
        server->addServerMediaSession(session);
    }
    // In the words of Debian's own.
    std::printf("%s<filename>\n", server->ipv4rtspURLPrefix());
    std::fflush(stdout);
    environment->taskScheduler().doEventLoop();
}
