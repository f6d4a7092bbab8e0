<?xml version="1.0" encoding="UTF-8"?>
<!-- The head of every message, and a patient. SysCode is the system the message comes from. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template name="head">
    <Head>
      <MsgId><xsl:value-of select="g:value('message_id')"/></MsgId>
      <SysCode><xsl:value-of select="Header/OriginSenderCode"/></SysCode>
      <SendTime><xsl:value-of select="g:date(Header/SentAt, 'yyyy-MM-dd HH:mm:ss')"/></SendTime>
      <HospCode><xsl:value-of select="Header/HospitalCode"/></HospCode>
      <UserCode><xsl:value-of select="Header/OperatorCode"/></UserCode>
    </Head>
  </xsl:template>

  <xsl:template name="patient">
    <PatientId><xsl:value-of select="Patient/PatientId"/></PatientId>
    <PatName><xsl:value-of select="Patient/PatientName"/></PatName>
    <AdmNo><xsl:value-of select="Visit/VisitNo"/></AdmNo>
  </xsl:template>
</xsl:stylesheet>
